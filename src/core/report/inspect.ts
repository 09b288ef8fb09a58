/** What `ocdd inspect` says: where a container is on this host, and commands that look at it. */
import { clip } from "../clip.ts";
import { commandLine } from "../methods/words.ts";
import { SCHEMA_VERSION } from "./report.ts";

export interface Inspected {
  readonly name: string;
  readonly container: string;
  readonly id: string;
  /** Of its first process, on this host. */
  readonly pid: number;
  /** The host's end of its veth pair; null where it has none, or it was not found. */
  readonly veth: string | null;
  /** Null where it is not served. */
  readonly alias: string | null;
  /** Its own address; null where it has none. */
  readonly address: string | null;
  /** The host's network device. */
  readonly device: string;
}

/** Commands by what they show. None is run. */
function commandsOf({ pid, veth, alias, device }: Inspected): [what: string, argv: readonly string[]][] {
  const target = ["--target", String(pid)];
  return [
    ["system calls of its first process", ["strace", "-f", "-p", String(pid)]],
    ["a shell in all of its namespaces", ["nsenter", ...target, "--all", "sh"]],
    ["its sockets, with the host's tools", ["nsenter", ...target, "--net", "ss", "-tulpn"]],
    ...(veth === null
      ? []
      : [["its packets, on the bridge port", ["tcpdump", "-n", "-i", veth]] as [string, string[]]]),
    ...(alias === null
      ? []
      : ([
          ["packets to and from its alias", ["tcpdump", "-n", "-i", device, "host", alias]],
          ["connections to its alias", ["conntrack", "-L", "--orig-dst", alias]],
        ] as [string, string[]][])),
  ];
}

export function inspectText(one: Inspected): string {
  const fields: [string, string][] = [
    ["container", `${clip(one.container)} (${one.id.slice(0, 12)})`],
    ["process", String(one.pid)],
    ["network namespace", namespaceOf(one)],
    ["bridge port", one.veth ?? "none"],
    ["alias", one.alias ?? "none: it is not served"],
    ["address", one.address ?? "none of its own"],
  ];
  const lines = fields.map(([name, value]) => `${name.padEnd(18)}  ${value}`);
  const commands = commandsOf(one).flatMap(([what, argv]) => ["", `# ${what}`, commandLine(argv)]);
  return `${[...lines, ...commands].join("\n")}\n`;
}

export const inspectDocument = (one: Inspected): object => ({
  schemaVersion: SCHEMA_VERSION,
  name: one.name,
  container: one.container,
  id: one.id,
  pid: one.pid,
  networkNamespace: namespaceOf(one),
  bridgePort: one.veth,
  alias: one.alias,
  address: one.address,
  commands: commandsOf(one).map(([what, argv]) => ({ what, command: commandLine(argv), argv })),
});

const namespaceOf = ({ pid }: Inspected): string => `/proc/${pid}/ns/net`;
