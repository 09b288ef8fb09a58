/** Which UDP engine serves: the fast one, or the portable one, which answers a third as many. */
import type { Config } from "../../core/config/config.ts";
import type { Endpoint } from "../../core/config/values.ts";
import { loadSockets } from "../../platform/libc.ts";
import { type Finding, good, none } from "./finding.ts";

/** Milliseconds that the server has to tell. */
const PATIENCE = 2_000;
const SUBJECT = "UDP engine";

/** As the server says it, where it tells metrics; else what this installation makes of it. */
export async function udpEngine(config: Config): Promise<Finding> {
  if (config.metricsListen !== null) {
    const engine = await told(config.metricsListen);
    return engine === undefined
      ? none(
          SUBJECT,
          "the server does not tell: it is not running, or was started before METRICS_LISTEN was set",
        )
      : good(SUBJECT, `${engine}, as the server says`);
  }
  const sockets = loadSockets();
  return "calls" in sockets
    ? good(SUBJECT, "fast: its library loads here")
    : good(SUBJECT, `portable: the library of the fast one does not load here (${sockets.reason})`);
}

async function told({ address, port }: Endpoint): Promise<"fast" | "portable" | undefined> {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const text = await (await fetch(`http://${address}:${port + 1}/metrics`, { signal })).text();
    return /^ocdd_dns_engine\{engine="(fast|portable)"\} 1$/m.exec(text)?.[1] as
      | "fast"
      | "portable"
      | undefined;
  } catch {
    return undefined;
  }
}
