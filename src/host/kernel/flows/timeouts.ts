/** After how many seconds this kernel forgets an unused connection (Documentation/networking/nf_conntrack-sysctl.rst). */
import { readFile } from "node:fs/promises";
import type { Timeouts } from "../../../core/lifecycle/usage.ts";

const DIRECTORY = "/proc/sys/net/netfilter";
/** The kernel's default by the name of its file; null where no file exists. */
type Default = readonly [file: string | null, seconds: number];

const NONE: Default = [null, 0];
const SYN_SENT: Default = ["tcp_timeout_syn_sent", 120];
/** By TCP's state: at 9 both ends open at once, 10 and 11 are no states; then the two that replace one of these. */
const TCP: readonly Default[] = [
  NONE,
  SYN_SENT,
  ["tcp_timeout_syn_recv", 60],
  ["tcp_timeout_established", 432_000],
  ["tcp_timeout_fin_wait", 120],
  ["tcp_timeout_close_wait", 60],
  ["tcp_timeout_last_ack", 30],
  ["tcp_timeout_time_wait", 120],
  ["tcp_timeout_close", 10],
  SYN_SENT,
  NONE,
  NONE,
  ["tcp_timeout_max_retrans", 300],
  ["tcp_timeout_unacknowledged", 300],
];
/** By SCTP's state; 9 is not used any more. */
const SCTP: readonly Default[] = [
  NONE,
  ["sctp_timeout_closed", 10],
  ["sctp_timeout_cookie_wait", 3],
  ["sctp_timeout_cookie_echoed", 3],
  ["sctp_timeout_established", 210],
  ["sctp_timeout_shutdown_sent", 3],
  ["sctp_timeout_shutdown_recd", 3],
  ["sctp_timeout_shutdown_ack_sent", 3],
  ["sctp_timeout_heartbeat_sent", 30],
];

/**
 * The timeouts of this network namespace, the kernel's default for a file that is missing or holds no number. Reads some 25
 * files: once in a while is enough.
 */
export async function readTimeouts(directory: string = DIRECTORY): Promise<Timeouts> {
  const read = async ([file, seconds]: Default): Promise<number> => {
    if (file === null) return seconds;
    const text = await readFile(`${directory}/nf_conntrack_${file}`, "latin1").catch(() => "");
    return /^\d{1,10}\s*$/.test(text) ? Number(text) : seconds;
  };
  const all = (defaults: readonly Default[]): Promise<number[]> => Promise.all(defaults.map(read));
  return {
    tcp: await all(TCP),
    sctp: await all(SCTP),
    udp: await read(["udp_timeout", 30]),
    udpStream: await read(["udp_timeout_stream", 120]),
    icmp: await read(["icmp_timeout", 30]),
    other: await read(["generic_timeout", 600]),
  };
}
