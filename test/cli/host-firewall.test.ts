/** `ocdd doctor` and the host's own firewall. */
import t from "tap";
import { inputOf } from "../../src/cli/doctor/host-firewall.ts";
import type { Ipv4 } from "../../src/core/addresses/ipv4.ts";

const HOST = "192.168.122.200" as Ipv4;
const config = { device: "ens3", dnsPort: 53, webPort: 80, webEnabled: true };
const saved = (policy: string, rules = ""): string => `*filter\n:INPUT ${policy} [0:0]\n${rules}COMMIT\n`;

t.test("ports that iptables closes to the LAN: FAIL, with the rule and what opens them", async (t) => {
  t.match(inputOf(saved("ACCEPT"), config, HOST), { ok: true, message: /53\/udp, 53\/tcp, 80\/tcp$/ });
  t.match(inputOf(saved("DROP"), config, HOST), {
    ok: false,
    message: /^clients on ens3 do not reach 53\/udp, 53\/tcp, 80\/tcp: -P INPUT DROP$/,
    remedy: /ufw allow 53\/udp; .*--add-port=53\/udp/,
  });
  const tcp = saved("ACCEPT", "-A INPUT -i ens3 -p tcp -m tcp --dport 80 -j DROP\n");
  t.match(inputOf(tcp, config, HOST), { ok: false, message: /reach 80\/tcp: -A INPUT -i ens3/ });
  t.match(inputOf(tcp, { ...config, webEnabled: false }, HOST), { ok: true });
});
