/**
 * Whole decisions as files: test/golden/<case>/ holds the state of a host and the director's results for it. UPDATE=1
 * writes the results again: read the difference. BIND, iptables and nft check the files as well.
 *
 *     ocdd.conf containers.json networks.json [leases.json] [zone-before.txt]
 *     → rules.txt zone.txt plan.txt report.txt list.json [leases.txt] [page.html]
 *
 * rules.txt is the input of iptables-restore, and after the line `# nft` that of nft.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { type Config, readConfig } from "../src/core/config/config.ts";
import { decide } from "../src/core/decide.ts";
import { canonical, type DataPath } from "../src/core/forwards/forward.ts";
import { parse } from "../src/core/forwards/iptables-parse.ts";
import { transaction } from "../src/core/forwards/iptables-transaction.ts";
import { renderAll } from "../src/core/forwards/nft.ts";
import { elementsOf, keyOf } from "../src/core/forwards/nft-elements.ts";
import { parseTables } from "../src/core/forwards/nft-parse.ts";
import type { BridgePort, Container, LeaseTable, Network, Observation } from "../src/core/model.ts";
import { observationOf } from "../src/core/observation.ts";
import { NO_HISTORY } from "../src/core/page/history.ts";
import { isEmpty, plan } from "../src/core/plan.ts";
import { leaseRows, leasesText } from "../src/core/report/leases.ts";
import { listDocument, runReport } from "../src/core/report/report.ts";
import { describeAll } from "../src/core/report/steps.ts";
import { readZoneOnDisk, zoneSettings } from "../src/core/zone/records.ts";
import { addressRecords } from "../src/core/zone/service-records.ts";
import { readContainer, readNetwork } from "../src/host/docker/json.ts";
import { BARE, HOST, ip, NOW } from "./core/make.ts";
import { saved } from "./fake/iptables.ts";

const GOLDEN = fileURLToPath(new URL("golden", import.meta.url));
const DOCKER = fileURLToPath(new URL("recorded/docker-20.10.txt", import.meta.url));
const DOCKER_RULES = saved(readFileSync(DOCKER, "utf8"));
const UPDATE = process.env.UPDATE === "1";

interface Case {
  readonly config: Config;
  readonly seen: Observation;
  /** It begins with leases: what `ocdd leases` shows after the run is a result too. */
  readonly hasLeases: boolean;
}

function readCase(directory: string): Case {
  const text = (file: string, otherwise: string): string => {
    const path = join(directory, file);
    return existsSync(path) ? readFileSync(path, file.endsWith(".txt") ? "latin1" : "utf8") : otherwise;
  };
  const json = <T>(file: string, otherwise: T): T => JSON.parse(text(file, JSON.stringify(otherwise))) as T;
  const config = readConfig({
    file: "ocdd.conf",
    text: text("ocdd.conf", ""),
    environment: new Map(),
    flags: [],
  });
  const items = (file: string): Record<string, unknown>[] => json(file, []);
  const containers = items("containers.json").flatMap((item) => readContainer(item, NOW) ?? []);
  const networks = items("networks.json").map(readNetwork);
  const before = text("zone-before.txt", "");
  const address = (device: string, at: string, prefix: number) => ({
    device,
    address: ip(at),
    prefix,
    label: device,
  });
  return {
    config,
    hasLeases: existsSync(join(directory, "leases.json")),
    seen: observationOf(config, {
      containers,
      networks,
      links: {
        devices: ["lo", "ens3", "docker0"],
        bridges: ["docker0"],
        addresses: [
          address("lo", "127.0.0.1", 8),
          address("ens3", HOST, 24),
          address("docker0", "172.17.0.1", 16),
        ],
        bridgePorts: portsOf(containers, networks),
      },
      path: {
        dataPath: parse(DOCKER_RULES, config.pool).dataPath,
        firewall: { backend: "iptables", unguarded: null, obstacles: [], iptables: true },
        legacy: [],
      },
      leases: { status: "read", table: { ...BARE.table, ...json<Partial<LeaseTable>>("leases.json", {}) } },
      leasesFile: "leases.json",
      readZone: (host) =>
        readZoneOnDisk(
          before,
          zoneSettings(config),
          host === undefined ? [] : addressRecords([], config.hostName, host),
        ),
      page: { html: "", services: "" },
      self: "",
      history: NO_HISTORY,
    }),
  };
}

/** A bridge port for each place of a container on a bridge. */
function portsOf(containers: readonly Container[], networks: readonly Network[]): BridgePort[] {
  return containers.flatMap(({ id, attachments }) =>
    attachments.flatMap(({ network: on, address }, i): BridgePort[] => {
      const bridge = networks.find((network) => network.name === on)?.bridge ?? "";
      if (bridge === "" || address === undefined) return [];
      return [{ name: `veth${id.slice(0, 7)}${i}`, bridge, hairpin: false, container: id }];
    }),
  );
}

const NFT = "# nft\n";

function rulesOf({ config }: Case, { frame, forwards, damaged }: DataPath): string {
  const { snapshot } = parse(DOCKER_RULES, config.pool);
  const { text } = transaction(snapshot, { frame, forwards, damaged });
  return frame === null
    ? text
    : `${text}${NFT}${renderAll(frame, forwards, { mode: "guard", markEarly: false })}`;
}

/** Cases whose page is kept as well: it is long, and the same but for its rows. */
const PAGES: ReadonlySet<string> = new Set(["contract-table", "hostile"]);

/** Every result file of a case. */
function results(name: string, case_: Case): Record<string, string> {
  const { config, seen, hasLeases } = case_;
  const decision = decide(config, seen, NOW);
  const { steps } = plan(seen.actual, decision.desired, seen.leasesStale);
  const warnings = decision.warnings.map((line) => `warning: ${line}\n`).join("");
  return {
    ...(PAGES.has(name) ? { "page.html": decision.desired.page.html } : {}),
    ...(hasLeases ? { "leases.txt": leasesText(leaseRows(decision.desired, config.addressHold, NOW)) } : {}),
    "rules.txt": rulesOf(case_, decision.desired.dataPath),
    "zone.txt": decision.desired.zone.text,
    "plan.txt": describeAll(steps)
      .map((line) => `${line}\n`)
      .join(""),
    "report.txt": `${runReport(config, decision)}${warnings === "" ? "" : `\n${warnings}`}`,
    "list.json": `${JSON.stringify(listDocument(config, decision), null, 2)}\n`,
  };
}

const scratch = mkdtempSync(join(tmpdir(), "ocdd-golden-"));
t.teardown(() => rmSync(scratch, { recursive: true }));

const IN_KERNEL = `
iptables-restore <"$1"
iptables-restore --noflush --test <"$2"
iptables-restore --noflush <"$2"
iptables-save
nft -f "$3"
for family in ip bridge; do echo '# nft'; nft -j list table "$family" ocdd || test ! -s "$3"; done
`;

/** The rules put into a real kernel beside Docker's, in a network namespace that ends with the command. */
async function inKernel(name: string, rules: string): Promise<{ iptables: string; nft: string[] }> {
  const parts = rules.split(NFT);
  const files = ["iptables", "nft"].map((kind, i) => {
    const file = join(scratch, `${name}.${kind}`);
    writeFileSync(file, parts[i] ?? "");
    return file;
  });
  const { stdout } = await execa("unshare", ["--net", "sh", "-ec", IN_KERNEL, "sh", DOCKER, ...files]);
  const [iptables = "", ...nft] = stdout.split(NFT);
  return { iptables, nft };
}

for (const name of readdirSync(GOLDEN).sort()) {
  t.test(name, async (t) => {
    const directory = join(GOLDEN, name);
    const case_ = readCase(directory);
    const got = results(name, case_);
    for (const [file, text] of Object.entries(got)) {
      const path = join(directory, file);
      // the zone is octets, one a character
      const encoding = file === "zone.txt" ? "latin1" : "utf8";
      if (UPDATE) writeFileSync(path, text, encoding);
      t.equal(text, readFileSync(path, encoding), file);
    }

    const zone = join(scratch, `${name}.zone`);
    writeFileSync(zone, got["zone.txt"] ?? "", "latin1");
    const check = await execa(
      "named-checkzone",
      ["-k", "fail", "-m", "fail", "-i", "local", case_.config.zone, zone],
      { reject: false },
    );
    t.equal(check.exitCode, 0, `BIND accepts the zone: ${check.stdout}`);

    const kernel = await inKernel(name, got["rules.txt"] ?? "");
    const decision = decide(case_.config, case_.seen, NOW);
    const { frame, forwards } = decision.desired.dataPath;
    t.strictSame(
      parse(saved(kernel.iptables), case_.config.pool).dataPath,
      { frame, forwards: forwards.map((f) => ({ ...canonical(f), bridgePort: null })), damaged: [] },
      "the kernel prints the rules as OCDD writes them",
    );
    const listed = frame === null ? [] : parseTables(kernel.nft).elements;
    const wanted = elementsOf(forwards, "guard").map(keyOf);
    t.strictSame(listed.map(keyOf).sort(), wanted.sort(), "and holds the guard's elements");

    const { desired } = decision;
    const after: Observation = {
      ...case_.seen,
      actual: desired,
      addresses: [...case_.seen.addresses, ...desired.aliases],
    };
    const zoneNow = readZoneOnDisk(
      desired.zone.text,
      zoneSettings(case_.config),
      addressRecords([], case_.config.hostName, decision.hostIp),
    );
    const second = plan(desired, decide(case_.config, { ...after, zone: zoneNow }, NOW).desired);
    t.ok(isEmpty(second), `the next run changes nothing: ${describeAll(second.steps).join("; ")}`);
  });
}
