/** Packets in the queue of a real kernel, for a network namespace of its own. Prints what happened as JSON. */
import { execa } from "execa";
import { QUEUE_LENGTH, QUEUE_NUMBER, type Verdict } from "../../../../src/host/kernel/queue/queue.ts";
import { loadSockets } from "../../../../src/platform/libc.ts";
import { ask, type Question } from "../peer.ts";
import { kernelView, unread } from "./kernel-view.ts";
import { ALIAS, asleep, awake, network, type Reader, reader, until } from "./network.ts";

const [scenario = ""] = process.argv.slice(2);
const { client, end } = await network();
const WAIT_MS = 30_000;
const PROTOCOLS = ["tcp", "udp", "ping"] as const;
type Asker = (protocol: Question["protocol"]) => Promise<string>;
const question = (protocol: Question["protocol"]): Question => ({
  protocol,
  to: ALIAS,
  port: 80,
  datagrams: 3,
  wait: WAIT_MS,
});
const fromClient: Asker = (protocol) => client.order({ ask: question(protocol) });
const fromHost: Asker = (protocol) => ask(question(protocol));

const failures: string[] = [];

/** Asks while the alias sleeps; `held` has the packets of it, and decides. */
async function asked(
  answer: () => Promise<string>,
  held: (one: Reader) => Promise<readonly unknown[]>,
): Promise<unknown> {
  // a queue of its own: no packet of the attempt before is in it
  const one = reader();
  const coming = answer();
  const seen = await held(one);
  const result = [await coming, ...seen];
  await one.queue.close();
  one.queue.decide(1, "release");
  failures.push(...one.failures);
  return result;
}

/** Decides about all packets, also those to come. */
function decideAll(one: Reader, verdict: Verdict): void {
  one.verdict = verdict;
  for (const { id } of one.waiting.splice(0)) one.queue.decide(id, verdict);
}

async function released(one: Reader, packets: number): Promise<readonly unknown[]> {
  await until(() => one.waiting.length >= packets);
  const flow = one.waiting[0]?.flow;
  await awake();
  decideAll(one, "release");
  return [flow?.protocol, flow?.source, flow?.destination, flow?.port];
}

async function verdicts(): Promise<unknown> {
  const result: Record<string, unknown> = {};
  for (const protocol of PROTOCOLS) {
    for (const [from, asker] of [
      ["lan", fromClient],
      ["host", fromHost],
    ] as const) {
      result[`${from} ${protocol} released`] = await asked(
        () => asker(protocol),
        (one) => released(one, protocol === "udp" ? 3 : 1),
      );
      await asleep();
      result[`${from} ${protocol} refused`] = await asked(
        () => asker(protocol),
        async (one) => {
          decideAll(one, "refuse");
          return [];
        },
      );
    }
  }
  result["lan tcp dropped"] = await asked(
    () => fromClient("tcp"),
    async (one) => {
      const first = await one.next();
      one.queue.decide(first.id, "drop");
      // the packet has gone
      for (const verdict of ["release", "refuse", "drop"] as const) one.queue.decide(first.id, verdict);
      const second = await one.next();
      await awake();
      one.queue.decide(second.id, "release");
      return [second.key === first.key];
    },
  );
  return { ...result, failures };
}

/** Queue full: the kernel drops, nothing reaches the host or the container. */
async function full(): Promise<unknown> {
  const one = reader();
  const FLOOD = `const s = require("node:dgram").createSocket("udp4");
s.connect(80, "${ALIAS}", function more() { for (let i = 0; i < 50; i++) s.send("?"); setImmediate(more); });`;
  const flood = execa("nsenter", [`--net=/proc/${client.pid}/ns/net`, process.execPath, "-e", FLOOD], {
    reject: false,
  });
  await until(() => (kernelView()?.dropped ?? 0) > 0 && one.waiting.length >= QUEUE_LENGTH);
  flood.kill("SIGKILL");
  await flood;
  const { stdout } = await execa("iptables-save", ["-c", "-t", "filter"]);
  const passed = [...stdout.matchAll(/^(?:\[(\d+):\d+\] -A|:\S+ \S+ \[(\d+))/gm)];
  const result = {
    held: [kernelView()?.held, one.waiting.length],
    passed: passed.reduce((sum, [, rule, chain]) => sum + Number(rule ?? chain), 0),
    failures: one.failures,
  };
  await one.queue.close();
  return result;
}

/** Reading while the main thread is blocked. */
async function busy(): Promise<unknown> {
  const one = reader();
  // the thread has started when it has read one
  void client.order({ ask: { ...question("tcp"), wait: 100 } });
  one.queue.decide((await one.next()).id, "drop");
  one.waiting.length = 0;
  const answers = PROTOCOLS.map(fromClient);
  const clock = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(clock, 0, 0, 1_000);
  // SYN, ping and three datagrams: held by the kernel, and nothing of them is in the socket any more
  while ((kernelView()?.held ?? 0) < 5 || unread() > 0) Atomics.wait(clock, 0, 0, 20);
  const before = one.waiting.length;
  const flows = new Set<string>();
  while (flows.size < 3) {
    const { id, flow } = await one.next();
    flows.add(flow.protocol);
    if (flows.size === 1) await awake();
    one.queue.decide(id, "release");
  }
  one.verdict = "release";
  for (const { id } of one.waiting) one.queue.decide(id, "release");
  const result = { before, flows: [...flows].sort(), answers: await Promise.all(answers) };
  await one.queue.close();
  return result;
}

/** A datagram that ends within its header, sent past connection tracking. */
async function unreadable(): Promise<unknown> {
  const one = reader();
  const queue = ["-j", "NFQUEUE", "--queue-num", String(QUEUE_NUMBER)];
  await execa("iptables", [
    "-t",
    "raw",
    "-A",
    "OUTPUT",
    "-p",
    "udp",
    "-m",
    "length",
    "--length",
    "24",
    ...queue,
  ]);
  const libc = loadSockets();
  if ("reason" in libc) throw new Error(libc.reason);
  const raw = libc.calls.socket(2, 3, 17);
  const to = Uint8Array.of(2, 0, 0, 0, 10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  libc.calls.sendto(raw, Uint8Array.of(1, 2, 3, 4), 4, 0, to, to.length);
  await until(() => kernelView()?.last === 1 && kernelView()?.held === 0);
  const result = { arrived: one.waiting.length };
  await one.queue.close();
  return result;
}

const scenarios: Readonly<Record<string, () => Promise<unknown>>> = {
  verdicts,
  full,
  busy,
  unreadable,
};
const result = await scenarios[scenario]?.();
await end();
console.log(JSON.stringify(result));
