/** Failures of calls to Docker's socket as messages, with the remedy. */
import { statSync } from "node:fs";
import { clip } from "../../core/clip.ts";
import { HostError } from "../../core/errors.ts";
import { systemdRuns } from "../../platform/systemd.ts";

// neither is a command where systemd does not run
const startDocker = systemdRuns() ? "start Docker: systemctl start docker" : "start Docker";
const dockerLog = systemdRuns() ? "look at Docker's log: journalctl -u docker" : "look at Docker's log";

/** Octets of a socket's path, at most (unix(7)): sun_path without the final NUL. */
const MOST_SOCKET_OCTETS = 107;

const NO_ACCESS = [
  "privilege",
  "denies access to this user",
  "run as root, or as a member of the group docker",
] as const;
const ABSENT = [
  "docker",
  "does not exist",
  "start Docker, or set DOCKER_SOCKET to where its socket is",
] as const;
const NO_SOCKET = ["docker", "is not a socket", "set DOCKER_SOCKET to where Docker's socket is"] as const;
const REASONS = new Map<string, readonly [fault: "docker" | "privilege", message: string, remedy: string]>([
  ["ENOENT", ABSENT],
  ["ENOTDIR", ABSENT],
  ["ENOTSOCK", NO_SOCKET],
  ["ECONNREFUSED", ["docker", "refuses connections: no process listens there", startDocker]],
  ["EACCES", NO_ACCESS],
  ["EPERM", NO_ACCESS],
]);

/** Characters of Docker's own message that are shown. */
const MESSAGE_LENGTH = 300;

/** Where requests go: the path of the socket, and the API's version that DOCKER_API_URL has, null for none. */
interface Engine {
  readonly socket: string;
  readonly version: string | null;
}

/** The error for a failed request; `lateMs` is the deadline in milliseconds when that was the reason. */
export function dockerError(
  { socket, version }: Engine,
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
  const said = saidBy(message);
  const deed = statusCode === undefined || statusCode < 300 ? "gave no valid answer to" : "refused";
  if (statusCode !== undefined)
    return new HostError("docker", `Docker at ${socket} ${deed} ${request} (status ${statusCode}): ${said}`, {
      cause: error,
      remedy: remedyFor(method, statusCode, said, version),
    });
  const known = unreachable(socket, code);
  if (known !== undefined) {
    return new HostError(known[0], `Docker's socket ${socket} ${known[1]}`, {
      remedy: known[2],
      cause: error,
    });
  }
  return new HostError("docker", `Docker at ${socket} ${deed} ${request}: ${said}`, {
    cause: error,
    remedy: BROKEN_OFF.has(code ?? "") ? dockerLog : `${ITS_OWN}, if another program answers there`,
  });
}

/** Errors of a connection that was made. */
const BROKEN_OFF = new Set(["ECONNRESET", "EPIPE", "ERR_STREAM_PREMATURE_CLOSE"]);

const ITS_OWN = "set DOCKER_SOCKET to Docker's own socket";

function unreachable(socket: string, code = ""): ReturnType<(typeof REASONS)["get"]> {
  // Node reports EINVAL, without a word of the length
  if (Buffer.byteLength(socket) > MOST_SOCKET_OCTETS)
    return [
      "docker",
      `has a path of more than ${MOST_SOCKET_OCTETS} octets, which no socket can have`,
      "set DOCKER_SOCKET to a shorter path, as that of a symbolic link to the socket",
    ];
  // connect(2) refuses a file, directory or device as it does a socket without a listener
  return code === "ECONNREFUSED" && !isSocket(socket) ? NO_SOCKET : REASONS.get(code);
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

/** Octets of a page that are looked at. */
const PAGE_LENGTH = 4_096;

/** Docker's message, or the text of a page of another server's, in one line. */
function saidBy(message = ""): string {
  const text = message.trim();
  const words = text.startsWith("<")
    ? text
        .slice(0, PAGE_LENGTH)
        .replace(/<[^<>]*>/g, " ")
        .replace(/\s+/g, " ")
        .trim()
    : text;
  return clip(words, MESSAGE_LENGTH) || "no message";
}

function remedyFor(method: string, status: number, said: string, version: string | null): string | undefined {
  if (status === 401) return `${ITS_OWN}, or let the server there answer without a password`;
  if (status === 403)
    return method === "GET"
      ? "let the socket proxy pass GET of /containers, /networks, /events, /info and /version"
      : "let the socket proxy pass POST of /containers and /exec";
  if (status < 400) return `${ITS_OWN}: another program seems to answer there`;
  if (status >= 502 && status <= 504) return `${startDocker}; or look at the log of the socket proxy`;
  // what Docker says of a container tells what to do
  if (method !== "GET") return undefined;
  if (version !== null && (status === 404 || /too new|too old|\bversion\b/i.test(said)))
    return "remove the version from DOCKER_API_URL, so that each engine speaks its own";
  if (status === 404) return `let the socket proxy pass it, or ${ITS_OWN}`;
  return dockerLog;
}

/** Undefined in place of an error with one of these statuses of Docker's; throws any other error. */
export function orNone(...statuses: readonly number[]): (error: unknown) => undefined {
  return (error) => {
    const status = error instanceof HostError ? statusOf(error) : undefined;
    if (status === undefined || !statuses.includes(status)) throw error;
  };
}

/**
 * Why something could not be done, in one line: Docker's own words where it has refused, without the request in front of
 * them, and the remedy; else the error's message.
 */
export function reasonOf(error: unknown): string {
  const words = wordsOf(error);
  const remedy = error instanceof HostError && statusOf(error) !== undefined ? error.remedy : undefined;
  return remedy === undefined ? words : `${words}; ${remedy}`;
}

/** The same without the remedy, for what shows that by itself. */
export function wordsOf(error: unknown): string {
  if (error instanceof HostError && statusOf(error) !== undefined)
    return saidBy((error.cause as { message?: string }).message);
  return clip(error instanceof Error ? error.message : String(error), MESSAGE_LENGTH);
}

/** The status that Docker has answered with. */
const statusOf = ({ cause }: HostError): number | undefined =>
  (cause as { statusCode?: number } | undefined)?.statusCode;

/** True where Docker gave no answer at all: it does not run, it is starting, or it hangs. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof HostError && error.fault === "docker" && statusOf(error) === undefined;
}
