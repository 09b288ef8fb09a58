/** When a container that has just been started may be given its traffic. */
import type { Ipv4 } from "../core/addresses/ipv4.ts";
import { clip } from "../core/clip.ts";
import { HostError } from "../core/errors.ts";
import type { Health } from "../core/lifecycle/health.ts";
import type { Port } from "../core/ports.ts";
import { accepts, httpStatus } from "../host/connect.ts";
import type { DockerActions } from "../host/docker/actions.ts";
import type { ContainerDetails } from "../host/docker/details.ts";
import { unlessAborted } from "../platform/abort.ts";
import { pausing } from "../platform/timer.ts";

export interface StartedContainer {
  readonly address: Ipv4;
  /** Its id. */
  readonly container: string;
  /** Command of its HEALTHCHECK, or null. */
  readonly healthcheck: readonly string[] | null;
  readonly exposed: readonly Port[];
}

export interface ReadinessSettings {
  readonly health: Health | null;
  /** Seconds after which a container counts as ready of which nothing can be checked. */
  readonly grace: number;
  /** Comes before all other checks. */
  readonly check?: ((signal: AbortSignal) => Promise<boolean>) | undefined;
}

/** The container has ended while it was being checked. */
export class EndedError extends HostError {
  constructor(message: string) {
    super("docker", message);
  }
}

/** What asks Docker. */
export interface ReadinessMeans {
  readonly exec: DockerActions["exec"];
  /** Undefined when there is no such container. */
  state(
    id: string,
    signal: AbortSignal,
  ): Promise<Pick<ContainerDetails, "running" | "exitCode" | "error"> | undefined>;
}

/** Milliseconds. */
export interface Pace {
  /** Between two connections to a port. */
  readonly connectMs: number;
  /** Between two checks by HEALTHCHECK or HTTP. */
  readonly checkMs: number;
  /** Between two questions whether the container still runs. */
  readonly stateMs: number;
  /** For further ports after the first that answers. */
  readonly settleMs: number;
}

const PACE: Pace = { connectMs: 25, checkMs: 100, stateMs: 250, settleMs: 2_000 };
/** Milliseconds for one connection. */
const CONNECT_DEADLINE_MS = 1_000;
/** Milliseconds for one run of a HEALTHCHECK: Docker's own default. */
const HEALTHCHECK_DEADLINE_MS = 30_000;
/** Connections at the same time: a port scan asks for thousands of ports. */
const MOST_CONNECTIONS = 32;

/**
 * Resolves when the container is ready: by `settings.check` where there is one, else by its HEALTHCHECK, else by `settings.health`, else when the ports asked for accept
 * connections, else after the grace. `asked` gives the TCP ports that visitors have asked for so far.
 *
 * Docker's own health status is not used: it follows up to 30 s later. Throws HostError "docker" when the container ends, and
 * the signal's reason when it is aborted; has no limit of its own. Leaves no socket and no timer behind.
 */
export async function untilReady(
  target: StartedContainer,
  settings: ReadinessSettings,
  asked: () => readonly number[],
  means: ReadinessMeans,
  signal: AbortSignal,
  pace: Pace = PACE,
): Promise<void> {
  signal.throwIfAborted();
  const own = new AbortController();
  const until = AbortSignal.any([signal, own.signal]);
  const { healthcheck } = target;
  const { health, grace, check } = settings;
  const ready =
    check !== undefined
      ? passes(() => check(until), pace, until)
      : healthcheck !== null
        ? passes(() => healthcheckPasses(target.container, healthcheck, means, until), pace, until)
        : health !== null
          ? passes(() => healthPasses(target.address, health, until), pace, until)
          : portsAccept(target, grace, asked, pace, until);
  try {
    await unlessAborted(Promise.race([ready, ended(target.container, means, pace, until)]), until);
  } finally {
    own.abort();
  }
}

/** Resolves when a check passes: made at once, then after each pause, one at a time. */
async function passes(check: () => Promise<boolean>, { checkMs }: Pace, until: AbortSignal): Promise<void> {
  while (!(await check())) await interval(checkMs, until);
}

/** Rejects with the signal's reason when it is aborted meanwhile. */
export async function interval(milliseconds: number, until: AbortSignal): Promise<void> {
  await pausing(milliseconds, until);
  until.throwIfAborted();
}

async function healthcheckPasses(
  container: string,
  argv: readonly string[],
  { exec }: ReadinessMeans,
  until: AbortSignal,
): Promise<boolean> {
  return (await exec(container, argv, HEALTHCHECK_DEADLINE_MS, until).catch(notTold)) === 0;
}

async function healthPasses(address: Ipv4, health: Health, until: AbortSignal): Promise<boolean> {
  const { url, port, path, timeout } = health;
  const name = /^http:\/\/([^:/]*)/i.exec(url)?.[1] || address;
  const host = port === 80 ? name : `${name}:${port}`;
  const status = await httpStatus({ address, port, path, host }, timeout * 1000, until);
  const [first, last] = health.status;
  return status !== undefined && first <= status && status <= last;
}

/** Resolves when all ports asked for accept connections, or some time after the first did. */
async function portsAccept(
  { address, exposed }: StartedContainer,
  grace: number,
  asked: () => readonly number[],
  pace: Pace,
  until: AbortSignal,
): Promise<void> {
  const fallback = exposed.filter(({ protocol }) => protocol === "tcp").slice(0, 1);
  const began = performance.now();
  const open = new Set<number>();
  const trying = new Set<number>();
  /** Port → the turn in which it was tried last. */
  const tried = new Map<number, number>();
  let firstAt = Number.POSITIVE_INFINITY;
  let news = Promise.withResolvers<void>();
  const attempt = async (port: number): Promise<void> => {
    trying.add(port);
    const accepted = await accepts({ address, port }, CONNECT_DEADLINE_MS, until);
    trying.delete(port);
    if (!accepted) return;
    open.add(port);
    firstAt = Math.min(firstAt, performance.now());
    news.resolve();
  };
  for (let turn = 1; ; turn++) {
    // a packet may have any port
    const named = asked().filter((port) => port > 0);
    const wanted = new Set(named.length > 0 ? named : fallback.map(({ port }) => port));
    const missing = [...wanted].filter((port) => !open.has(port));
    const now = performance.now();
    if (wanted.size === 0 ? now - began >= grace * 1000 : missing.length === 0) return;
    if (now - firstAt >= pace.settleMs) return;
    news = Promise.withResolvers();
    const next = missing
      .filter((port) => !trying.has(port))
      .sort((a, b) => (tried.get(a) ?? 0) - (tried.get(b) ?? 0))
      .slice(0, MOST_CONNECTIONS - trying.size);
    for (const port of next) {
      tried.set(port, turn);
      void attempt(port);
    }
    await Promise.race([interval(pace.connectMs, until), news.promise]);
  }
}

/** Rejects with the reason when the container has ended. */
async function ended(
  container: string,
  means: ReadinessMeans,
  { stateMs }: Pace,
  until: AbortSignal,
): Promise<never> {
  for (;;) {
    const now = await means.state(container, until).catch(notTold);
    if (now === undefined) throw new HostError("docker", "it was removed");
    if (now !== null && !now.running) {
      const why = now.error === "" ? "" : `: ${clip(now.error, 300)}`;
      throw new EndedError(`it ended with status ${now.exitCode}${why}`);
    }
    await interval(stateMs, until);
  }
}

/** Null where Docker did not answer: asked again until the signal is aborted. */
function notTold(error: unknown): null {
  if (error instanceof HostError) return null;
  throw error;
}
