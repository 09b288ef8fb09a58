/**
 * Whole decisions as files: test/golden/<case>/ holds what a host shows and what the director makes of it. UPDATE=1 writes
 * the second half anew, for a person to read the difference. BIND and iptables judge the files as well.
 *
 *     ocdd.conf containers.json networks.json [leases.json] [zone-before.txt]
 *     → rules.txt zone.txt page.html plan.txt report.txt list.json
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { type Config, readConfig } from "../src/core/config/config.ts";
import { decide } from "../src/core/decide.ts";
import { parseFirewall } from "../src/core/forwards/firewall.ts";
import type { LeaseTable, Observation } from "../src/core/model.ts";
import { observationOf } from "../src/core/observation.ts";
import { plan } from "../src/core/plan.ts";
import { listDocument, runReport } from "../src/core/report/report.ts";
import { readContainer, readNetwork } from "../src/host/docker/json.ts";
import { BARE, HOST, ip, NOW } from "./core/make.ts";
import { saved } from "./fake/iptables.ts";

const GOLDEN = fileURLToPath(new URL("golden", import.meta.url));
const DOCKER = fileURLToPath(new URL("recorded/docker-20.10.txt", import.meta.url));
const UPDATE = process.env.UPDATE === "1";

interface Case {
  readonly config: Config;
  readonly seen: Observation;
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
  const address = (device: string, at: string, prefix: number) => ({
    device,
    address: ip(at),
    prefix,
    label: device,
  });
  return {
    config,
    seen: observationOf(config, {
      containers: items("containers.json").flatMap((item) => readContainer(item) ?? []),
      networks: items("networks.json").map(readNetwork),
      links: {
        devices: ["lo", "ens3", "docker0"],
        addresses: [
          address("lo", "127.0.0.1", 8),
          address("ens3", HOST, 24),
          address("docker0", "172.17.0.1", 16),
        ],
        bridgePorts: [],
      },
      tables: saved(readFileSync(DOCKER, "utf8")),
      leases: { status: "read", table: { ...BARE.table, ...json<Partial<LeaseTable>>("leases.json", {}) } },
      leasesFile: "leases.json",
      zone: text("zone-before.txt", ""),
      page: "",
      services: "",
    }),
  };
}

/** Every file of a case's second half. */
function results({ config, seen }: Case): Record<string, string> {
  const decision = decide(config, seen, NOW);
  const steps = plan(seen.actual, decision.desired, config.zone);
  const warnings = decision.warnings.map((line) => `warning: ${line}\n`).join("");
  return {
    "rules.txt": steps.tables.map(({ text }) => text).join(""),
    "zone.txt": decision.desired.zone,
    "page.html": decision.desired.page,
    "plan.txt": steps.changes.map((line) => `${line}\n`).join(""),
    "report.txt": `${runReport(config, decision)}${warnings === "" ? "" : `\n${warnings}`}`,
    "list.json": `${JSON.stringify(listDocument(config, decision), null, 2)}\n`,
  };
}

const scratch = mkdtempSync(join(tmpdir(), "ocdd-golden-"));
t.teardown(() => rmSync(scratch, { recursive: true }));

/** The rules put into a real kernel beside Docker's, in a network namespace that ends with the command. */
async function inKernel(name: string, rules: string): Promise<string> {
  const file = join(scratch, `${name}.rules`);
  writeFileSync(file, rules);
  const script =
    'iptables-restore <"$1" && iptables-restore --noflush --test <"$2" && iptables-restore --noflush <"$2" && iptables-save';
  return (await execa("unshare", ["--net", "sh", "-ec", script, "sh", DOCKER, file])).stdout;
}

for (const name of readdirSync(GOLDEN).sort()) {
  t.test(name, async (t) => {
    const directory = join(GOLDEN, name);
    const case_ = readCase(directory);
    const got = results(case_);
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
    t.strictSame(
      parseFirewall(saved(kernel), case_.config.pool).firewall,
      decision.desired.firewall,
      "the kernel spells the rules as we do",
    );

    const { desired } = decision;
    const after: Observation = {
      ...case_.seen,
      actual: desired,
      addresses: [...case_.seen.addresses, ...desired.aliases],
    };
    const second = plan(desired, decide(case_.config, after, NOW).desired, case_.config.zone);
    t.strictSame([second.changes, second.table], [[], null], "the next run changes nothing");
  });
}
