/** Which UDP engine serves: the fast one, or the portable one with a third of its throughput. */
import type { Config } from "../../core/config/config.ts";
import type { Endpoint } from "../../core/config/endpoints.ts";
import { loadSockets } from "../../platform/libc.ts";
import { type Finding, good, none } from "./finding.ts";

/** Milliseconds that the server has to answer. */
const ANSWER_TIMEOUT_MS = 2_000;
const SUBJECT = "UDP engine";
const WORDS = {
  fast: "fast, many DNS queries in one system call",
  portable: "portable, with a third of the throughput of the fast one",
} as const;

/** As the server reports it, where it has metrics; else what this installation would use. */
export async function udpEngine(config: Config): Promise<Finding> {
  if (config.metricsListen !== null) {
    const engine = await reported(config.metricsListen);
    return engine === undefined
      ? none(
          SUBJECT,
          "unknown: ocdd-serve does not answer on its metrics port (not running, or started before METRICS_LISTEN was set)",
        )
      : good(SUBJECT, `${WORDS[engine]} (reported by ocdd-serve)`);
  }
  const sockets = loadSockets();
  return "calls" in sockets
    ? good(SUBJECT, WORDS.fast)
    : good(SUBJECT, `${WORDS.portable}: the library koffi does not load (${sockets.reason})`);
}

async function reported({ address, port }: Endpoint): Promise<"fast" | "portable" | undefined> {
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const text = await (await fetch(`http://${address}:${port + 1}/metrics`, { signal })).text();
    return /^ocdd_dns_engine\{engine="(fast|portable)"\} 1$/m.exec(text)?.[1] as
      | "fast"
      | "portable"
      | undefined;
  } catch {
    return undefined;
  }
}
