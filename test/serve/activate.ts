/** systemd's part in socket activation, done by its own `systemd-socket-activate`. */

/** Endpoints `ADDRESS:PORT` to open. */
export interface Endpoints {
  readonly udp: readonly string[];
  readonly tcp: readonly string[];
}

/**
 * The command that opens the endpoints and becomes `argv` when the first packet comes (to a UDP one); it is given the
 * sockets and these variables, and no others. Two in a row, since one opens sockets of one type.
 */
export function activated(
  { udp, tcp }: Endpoints,
  environment: Readonly<Record<string, string>>,
  argv: readonly string[],
): [string, ...string[]] {
  const listen = (endpoints: readonly string[]): string[] => endpoints.flatMap((at) => ["--listen", at]);
  const given = Object.entries(environment).flatMap(([name, value]) => ["--setenv", `${name}=${value}`]);
  const program = "systemd-socket-activate";
  const inner = tcp.length === 0 ? argv : [program, ...listen(tcp), ...given, ...argv];
  return [program, "--datagram", ...listen(udp), ...given, ...inner];
}

/** The command that starts `argv` again whenever it ends, with the same sockets, as a service manager does. */
export const restarted = (argv: readonly string[]): string[] => [
  "sh",
  "-c",
  'while :; do sh -c \'LISTEN_PID=$$ exec "$@"\' sh "$@"; done',
  "sh",
  ...argv,
];
