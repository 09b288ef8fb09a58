/** Traffic that a test starts before a change and evaluates after it. */

import { fileURLToPath } from "node:url";
import type { Container } from "./container.ts";
import type { FlowReport, PollReport } from "./flow.ts";
import type { Lab, Where } from "./handle.ts";
import { type Daemon, until } from "./process.ts";

const FLOW = fileURLToPath(new URL("flow.ts", import.meta.url));

/** A running flow; `stop` ends it and returns its report. */
export interface Recording<Report> {
  stop(): Promise<Report>;
}

/** Start an echo service, TCP or UDP, in a container's network (or a station's). */
export function echoService(
  lab: Lab,
  where: Container | string,
  protocol: "tcp" | "udp",
  port: number,
): Promise<Daemon> {
  return start(lab, where, `${protocol}-server`, String(port));
}

/** Start an HTTP server that answers a text, at any port of a station: a daemon on 0.0.0.0, such as sshd. */
export function httpService(
  lab: Lab,
  where: Container | string,
  port: number,
  text: string,
): Promise<Daemon> {
  return start(lab, where, "http-server", String(port), text);
}

/** A long-lived TCP exchange with a number each 10 ms, from the office PC unless told otherwise. */
export function tcpStream(
  lab: Lab,
  address: string,
  port: number,
  from: Where = "client",
): Promise<Recording<FlowReport>> {
  return record(lab, from, "tcp", address, port);
}

/** The same over UDP: every lost packet is counted. */
export function udpFlow(
  lab: Lab,
  address: string,
  port: number,
  from: Where = "client",
): Promise<Recording<FlowReport>> {
  return record(lab, from, "udp", address, port);
}

/** Which container answers HTTP at an address, one request each 20 ms. */
export function replier(
  lab: Lab,
  address: string,
  port = 80,
  from: Where = "client",
): Promise<Recording<PollReport>> {
  return record(lab, from, "poll", address, port);
}

/** The different answers, why there was none, and whether the first packet of a connection was lost. */
export function differing({ answers, repeated = 0 }: PollReport): string[] {
  const lost = repeated === 0 ? [] : [`${repeated} SYNs were sent again`];
  return [...new Set(answers.map(({ who, why }) => who ?? why ?? "silence")), ...lost];
}

/** What a name server answers for a name's address, asked each 5 ms. */
export function resolver(lab: Lab, address: string, name: string, port = 53): Promise<Recording<PollReport>> {
  return record(lab, "client", "dns", address, port, name);
}

async function record<Report>(
  lab: Lab,
  from: Where,
  mode: string,
  address: string,
  port: number,
  ...rest: string[]
): Promise<Recording<Report>> {
  const daemon = await start(lab, from, mode, address, String(port), ...rest);
  return {
    async stop() {
      await daemon.stop();
      const last = daemon.output().trim().split("\n").at(-1) ?? "";
      if (!last.startsWith("{"))
        throw new Error(`${daemon.argv.join(" ")} told nothing:\n${daemon.output()}`);
      return JSON.parse(last) as Report;
    },
  };
}

async function start(lab: Lab, where: Where, ...args: string[]): Promise<Daemon> {
  const daemon = lab.spawn(where, [process.execPath, FLOW, ...args], { label: args[0] ?? "flow" });
  await until(`flow ${args.join(" ")} is under way`, () => {
    if (!daemon.running()) throw new Error(`flow ${args.join(" ")} has ended:\n${daemon.output()}`);
    return daemon.output().includes("ready");
  });
  return daemon;
}
