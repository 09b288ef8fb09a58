/** Failures of calls to Docker's socket as messages, with the remedy. */
import { statSync } from "node:fs";
import { clip } from "../../core/clip.ts";
import { HostError } from "../../core/errors.ts";
import { systemdRuns } from "../../platform/systemd.ts";

// neither is a command where systemd does not run
const startDocker = systemdRuns() ? "start Docker: systemctl start docker" : "start Docker";
const dockerLog = systemdRuns() ? "look at Docker's log: journalctl -u docker" : "look at Docker's log";

const REASONS = new Map<string, [fault: "docker" | "privilege", message: string, remedy: string]>([
  ["ENOENT", ["docker", "does not exist", "start Docker, or set DOCKER_SOCKET to where its socket is"]],
  ["ENOTSOCK", ["docker", "is not a socket", "set DOCKER_SOCKET to where Docker's socket is"]],
  ["ECONNREFUSED", ["docker", "refuses connections: no process listens there", startDocker]],
  ["EACCES", ["privilege", "denies access to this user", "run as root, or as a member of the group docker"]],
  ["EPERM", ["privilege", "denies access to this user", "run as root, or as a member of the group docker"]],
]);

/** Characters of Docker's own message that are shown. */
const MESSAGE_LENGTH = 300;

/** The error for a failed request; `lateMs` is the deadline in milliseconds when that was the reason. */
export function dockerError(
  socket: string,
  error: unknown,
  lateMs: number | null,
  { method = "GET", path }: { readonly method?: string; readonly path: string },
): HostError {
  const request = `${method} ${path}`;
  if (lateMs !== null) {
    const unchanged = method === "GET" ? "; nothing has been changed" : "";
    return new HostError(
      "docker",
      `Docker at ${socket} did not answer ${request} within ${lateMs / 1000} s`,
      {
        remedy: `${dockerLog}${unchanged}`,
        cause: error,
      },
    );
  }
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  // connect(2) refuses a regular file as it does a socket without a listener
  const known = REASONS.get(code === "ECONNREFUSED" && isPlainFile(socket) ? "ENOTSOCK" : (code ?? ""));
  if (known !== undefined) {
    return new HostError(known[0], `Docker's socket ${socket} ${known[1]}`, {
      remedy: known[2],
      cause: error,
    });
  }
  const said = clip((message ?? "").trim(), MESSAGE_LENGTH);
  const status = statusCode === undefined ? "" : ` (status ${statusCode})`;
  return new HostError("docker", `Docker at ${socket} refused ${request}${status}: ${said}`, {
    cause: error,
    remedy: remedyFor(method, statusCode, said),
  });
}

function isPlainFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function remedyFor(method: string, status: number | undefined, said: string): string | undefined {
  if (method !== "GET")
    return status === 403 ? "let the socket proxy pass POST of /containers and /exec" : undefined;
  if (/too new|too old|version/i.test(said))
    return "remove the version from DOCKER_API_URL, so that each engine speaks its own";
  if (status === 403)
    return "let the socket proxy pass GET of /containers, /networks, /events, /info and /version";
  if (status === 404) return "remove the path from DOCKER_API_URL, or let the socket proxy pass it";
  return undefined;
}

/** Undefined in place of an error with one of these statuses of Docker's; throws any other error. */
export function orNone(...statuses: readonly number[]): (error: unknown) => undefined {
  return (error) => {
    const status =
      error instanceof HostError ? (error.cause as { statusCode?: number })?.statusCode : undefined;
    if (status === undefined || !statuses.includes(status)) throw error;
  };
}

/**
 * Why something could not be done, in one line: Docker's own words where it has refused, without the request in front of
 * them; else the error's message.
 */
export function reasonOf(error: unknown): string {
  const { statusCode, message } = ((error instanceof HostError ? error.cause : undefined) ?? {}) as {
    statusCode?: number;
    message?: string;
  };
  const words = statusCode === undefined ? "" : (message ?? "").trim();
  return clip(words || (error instanceof Error ? error.message : String(error)), MESSAGE_LENGTH);
}

/** True where Docker gave no answer at all: it does not run, it is starting, or it hangs. */
export function isUnanswered(error: unknown): boolean {
  return (
    error instanceof HostError &&
    error.fault === "docker" &&
    (error.cause as { statusCode?: number } | undefined)?.statusCode === undefined
  );
}
