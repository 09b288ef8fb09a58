/** A machine in a network namespace: serves its name by TCP and UDP, and asks others. Started by itself, it takes orders on its standard input. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { execa } from "execa";

/** A question to a service. */
export interface Question {
  readonly protocol: "tcp" | "udp" | "ping";
  readonly to: string;
  readonly port: number;
  /** Source port of UDP: the same one makes the same flow. */
  readonly from?: number;
  /** How many datagrams of UDP are sent at once; the answer is known when all of them are answered. One if not given. */
  readonly datagrams?: number;
  /** Milliseconds after which no answer counts as silence. */
  readonly wait: number;
}

/** Answers every question on these ports with `name`. */
export async function serve(name: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer((socket) => socket.on("error", () => undefined).end(name));
    await new Promise<void>((resolve) => server.listen(port, "0.0.0.0", resolve));
    const udp = createSocket("udp4").on("message", (_, from) => udp.send(name, from.port, from.address));
    await new Promise<void>((resolve) => udp.bind(port, "0.0.0.0", resolve));
  }
}

/** The name that answers, `refused` or `silent`. */
export async function ask({ protocol, to, port, from, datagrams = 1, wait }: Question): Promise<string> {
  if (protocol === "ping") {
    const args = ["-c", "1", "-W", String(wait / 1000), to];
    const { exitCode, stdout } = await execa("ping", args, { reject: false });
    if (exitCode === 0) return "answered";
    return /[Uu]nreachable/.test(stdout) ? "refused" : "silent";
  }
  return await new Promise<string>((resolve) => {
    const timer = setTimeout(() => end("silent"), wait);
    const end = (result: string): void => {
      clearTimeout(timer);
      close();
      resolve(result);
    };
    const failed = (error: NodeJS.ErrnoException): void =>
      end(error.code === "ECONNREFUSED" ? "refused" : String(error.code));
    let close: () => void;
    if (protocol === "tcp") {
      const socket = connect(port, to)
        .on("data", (octets) => end(String(octets)))
        .on("error", failed);
      close = () => socket.destroy();
    } else {
      let answers = 0;
      const socket = createSocket("udp4")
        .on("message", (octets) => {
          answers += 1;
          if (answers === datagrams) end(String(octets));
        })
        .on("error", failed);
      close = () => socket.close();
      socket.bind(from ?? 0, () =>
        socket.connect(port, to, () => {
          for (let sent = 0; sent < datagrams; sent++) socket.send("?");
        }),
      );
    }
  });
}

/** Accepts connections on a port and keeps them, receives datagrams; never answers. */
async function accept(port: number): Promise<void> {
  const server = createServer((socket) => socket.on("error", () => undefined).resume());
  await new Promise<void>((resolve) => server.listen(port, "0.0.0.0", resolve));
  const udp = createSocket("udp4");
  await new Promise<void>((resolve) => udp.bind(port, "0.0.0.0", resolve));
}

/** The connection that is kept open. */
let held: Socket | undefined;

/** Opens a connection; sends on it; closes it in the one way or the other. */
async function hold(act: Hold): Promise<void> {
  if (typeof act === "object") {
    held = connect(act.port, act.to);
    await once(held, "connect");
  } else if (act === "send") held?.write("?");
  else if (act === "reset") held?.resetAndDestroy();
  else if (held !== undefined) await once(held.end().resume(), "close");
}

type Hold = { readonly to: string; readonly port: number } | "send" | "close" | "reset";

type Order =
  | { readonly serve: readonly number[] }
  | { readonly accept: number }
  | { readonly hold: Hold }
  | { readonly ask: Question }
  | { readonly ip: string };

if (import.meta.main) {
  const name = process.argv[2] ?? "";
  for await (const line of createInterface({ input: process.stdin })) {
    const { id, order } = JSON.parse(line) as { id: number; order: Order };
    const done = async (): Promise<string> => {
      if ("ask" in order) return await ask(order.ask);
      if ("serve" in order) await serve(name, order.serve);
      else if ("accept" in order) await accept(order.accept);
      else if ("hold" in order) await hold(order.hold);
      else await execa("ip", ["-batch", "-"], { input: order.ip });
      return "done";
    };
    done().then(
      (result) => console.log(JSON.stringify({ id, result })),
      (error: Error) => console.log(JSON.stringify({ id, result: error.message })),
    );
  }
  process.exit(0);
}
