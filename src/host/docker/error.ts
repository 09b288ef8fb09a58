/** Failures of calls to Docker's socket as messages, with the remedy. */
import { clip } from "../../core/clip.ts";
import { HostError } from "../../core/errors.ts";

const REASONS = new Map<string, [fault: "docker" | "privilege", message: string, remedy: string]>([
  ["ENOENT", ["docker", "does not exist", "start Docker, or set DOCKER_SOCKET to where its socket is"]],
  ["ENOTSOCK", ["docker", "is not a socket", "set DOCKER_SOCKET to where Docker's socket is"]],
  [
    "ECONNREFUSED",
    ["docker", "refuses connections: no process listens there", "start Docker: systemctl start docker"],
  ],
  ["EACCES", ["privilege", "denies access to this user", "run as root, or as a member of the group docker"]],
  ["EPERM", ["privilege", "denies access to this user", "run as root, or as a member of the group docker"]],
]);

/** Characters of Docker's own message that are shown. */
const MESSAGE_LENGTH = 300;

/** The error for a failed call of `path`; `lateMs` is the deadline in milliseconds when that was the reason. */
export function dockerError(socket: string, error: unknown, lateMs: number | null, path: string): HostError {
  if (lateMs !== null) {
    return new HostError(
      "docker",
      `Docker at ${socket} did not answer GET ${path} within ${lateMs / 1000} s`,
      {
        remedy: "look at Docker's log: journalctl -u docker; nothing has been changed",
        cause: error,
      },
    );
  }
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const known = REASONS.get(code ?? "");
  if (known !== undefined) {
    return new HostError(known[0], `Docker's socket ${socket} ${known[1]}`, {
      remedy: known[2],
      cause: error,
    });
  }
  // the library puts the status before Docker's own message
  const said = clip((message ?? "").replace(/^\(HTTP code \d+\) \w+ - /, "").trim(), MESSAGE_LENGTH);
  const status = statusCode === undefined ? "" : ` (status ${statusCode})`;
  return new HostError("docker", `Docker at ${socket} refused GET ${path}${status}: ${said}`, {
    cause: error,
    remedy: remedyFor(statusCode, said),
  });
}

function remedyFor(status: number | undefined, said: string): string | undefined {
  if (/too new|too old|version/i.test(said))
    return "remove the version from DOCKER_API_URL, so that each engine speaks its own";
  if (status === 403)
    return "let the socket proxy pass GET of /containers, /networks, /events, /info and /version";
  if (status === 404) return "remove the path from DOCKER_API_URL, or let the socket proxy pass it";
  return undefined;
}
