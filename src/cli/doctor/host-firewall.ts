/** Whether the host's own firewall lets clients reach OCDD's servers: a question from the host itself does not pass it. */
import { readFile } from "node:fs/promises";
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { HostError } from "../../core/errors.ts";
import { type Arrival, refusedBy } from "../../core/forwards/iptables-input.ts";
import { run } from "../../host/kernel/run.ts";
import { bad, type Finding, good, none } from "./finding.ts";

const SUBJECT = "host's firewall";

type Listens = Pick<Config, "device" | "dnsPort" | "webPort" | "webEnabled">;

/** Looks at iptables, and names firewalld, whose rules are not evaluated. */
export async function hostFirewall(config: Listens, host: Ipv4): Promise<Finding[]> {
  const saved = await printed("iptables-save", "-t", "filter");
  const firewalld = await printed("nft", "list", "chain", "inet", "firewalld", "filter_INPUT");
  return [
    ...(saved === undefined ? [] : [inputOf(saved, config, host)]),
    ...(firewalld === undefined
      ? []
      : [
          none(
            SUBJECT,
            `firewalld is active and not evaluated: the zone of ${config.device} needs ${listOf(portsOf(config))}`,
          ),
        ]),
  ];
}

/** Undefined where the program is not installed or refuses. */
async function printed(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const { code, stdout } = await run([program, ...args], { ok: [0, 1] });
    return code === 0 ? stdout : undefined;
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

/** `saved` is what `iptables-save -t filter` prints. */
export function inputOf(saved: string, config: Listens, host: Ipv4): Finding {
  const refused = portsOf(config).flatMap((port) => {
    const rule = refusedBy(saved, { ...port, device: config.device, address: host });
    return rule === null ? [] : [{ port, rule }];
  });
  const [first] = refused;
  if (first === undefined) return good(SUBJECT, `iptables does not refuse ${listOf(portsOf(config))}`);
  const closed = refused.map(({ port }) => port);
  const opened = closed.map(nameOf);
  return bad(
    SUBJECT,
    `clients on ${config.device} do not reach ${listOf(closed)}: ${clip(first.rule, 120)}`,
    `allow them: ${opened.map((port) => `ufw allow ${port}`).join("; ")} (firewalld: ${opened
      .map((port) => `firewall-cmd --permanent --add-port=${port}`)
      .join("; ")}; firewall-cmd --reload)`,
  );
}

type Port = Pick<Arrival, "protocol" | "port">;

function portsOf({ dnsPort, webPort, webEnabled }: Listens): Port[] {
  const dns = (["udp", "tcp"] as const).map((protocol) => ({ protocol, port: dnsPort }));
  return webEnabled ? [...dns, { protocol: "tcp", port: webPort }] : dns;
}

const nameOf = ({ protocol, port }: Port): string => `${port}/${protocol}`;
const listOf = (ports: readonly Port[]): string => ports.map(nameOf).join(", ");

/** firewalld with StrictForwardPorts=yes rejects what it has not forwarded itself. */
export async function firewalld(): Promise<Finding> {
  const text = await readFile("/etc/firewalld/firewalld.conf", "utf8").catch(() => "");
  return /^\s*StrictForwardPorts\s*=\s*(yes|true)/im.test(text)
    ? bad(
        "firewalld",
        "StrictForwardPorts=yes rejects every alias",
        "set StrictForwardPorts=no in /etc/firewalld/firewalld.conf and reload firewalld",
      )
    : good("firewalld", "no conflict");
}
