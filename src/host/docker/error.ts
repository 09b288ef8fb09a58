/** What Docker's socket refused, in words, with the remedy. */
import { HostError } from "../../core/errors.ts";

const REASONS = new Map<string, [fault: "docker" | "privilege", message: string, remedy: string]>([
  ["ENOENT", ["docker", "does not exist", "start Docker, or set DOCKER_SOCKET to where its socket is"]],
  ["ENOTSOCK", ["docker", "is no socket", "set DOCKER_SOCKET to where Docker's socket is"]],
  [
    "ECONNREFUSED",
    ["docker", "refuses connections: nobody listens there", "start Docker: systemctl start docker"],
  ],
  [
    "EACCES",
    ["privilege", "may not be used by this user", "run as root, or as a member of the group docker"],
  ],
  ["EPERM", ["privilege", "may not be used by this user", "run as root, or as a member of the group docker"]],
]);

/** `late`: the deadline in milliseconds, when it has passed. */
/** The error for a failed call; `late` is the deadline in milliseconds when that was the reason. */
export function dockerError(socket: string, error: unknown, late: number | null): HostError {
  if (late !== null) {
    return new HostError("docker", `Docker at ${socket} did not answer within ${late / 1000} s`, {
      remedy: "look at Docker's log: journalctl -u docker; nothing has been changed",
      cause: error,
    });
  }
  const { code, statusCode, reason } = error as { code?: string; statusCode?: number; reason?: string };
  const known = REASONS.get(code ?? "");
  if (known !== undefined) {
    return new HostError(known[0], `Docker's socket ${socket} ${known[1]}`, {
      remedy: known[2],
      cause: error,
    });
  }
  const said = statusCode === undefined ? (error as Error).message : `status ${statusCode} ${reason ?? ""}`;
  return new HostError("docker", `Docker at ${socket} did not answer as Docker does: ${said}`, {
    cause: error,
  });
}
