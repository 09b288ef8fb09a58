import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { readTimeouts } from "../../../../src/host/kernel/flows/timeouts.ts";

const DEFAULTS = {
  tcp: [0, 120, 60, 432_000, 120, 60, 30, 120, 10, 120, 0, 0, 300, 300],
  sctp: [0, 10, 3, 3, 210, 3, 3, 3, 30],
  udp: 30,
  udpStream: 120,
  icmp: 30,
  other: 600,
};

t.test("without files: the kernel's defaults", async (t) => {
  t.strictSame(await readTimeouts(join(t.testdir(), "none")), DEFAULTS);
});

t.test("each file by its name; one without a number is a missing one", async (t) => {
  const directory = t.testdir();
  const files = {
    tcp_timeout_established: "86400\n",
    tcp_timeout_syn_sent: "7\n",
    tcp_timeout_max_retrans: "11\n",
    sctp_timeout_cookie_wait: "0\n",
    udp_timeout: "31\n",
    udp_timeout_stream: "180\n",
    icmp_timeout: "-5\n",
    generic_timeout: "",
  };
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(directory, `nf_conntrack_${name}`), text);
  mkdirSync(join(directory, "nf_conntrack_tcp_timeout_close"));
  t.strictSame(await readTimeouts(directory), {
    ...DEFAULTS,
    tcp: [0, 7, 60, 86_400, 120, 60, 30, 120, 10, 7, 0, 0, 11, 300],
    sctp: [0, 10, 0, 3, 210, 3, 3, 3, 30],
    udp: 31,
    udpStream: 180,
  });
});
