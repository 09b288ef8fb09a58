/** Tasks with the real iptables, as a process of its own so that a test can put it into a network namespace. Prints JSON. */
import { readFileSync } from "node:fs";
import { execa } from "execa";
import type { DataPath } from "../../../src/core/forwards/forward.ts";
import { canonical } from "../../../src/core/forwards/forward.ts";
import { partOf, render } from "../../../src/core/forwards/iptables-render.ts";
import { openIptablesTable } from "../../../src/host/kernel/iptables-table.ts";
import { forward, manyForwards, POOL, pathOf } from "../../core/forwards/iptables.ts";

const [task = "", ...args] = process.argv.slice(2);

/** A forward of each kind of rule. */
const KINDS = pathOf([
  forward("192.168.122.11", "172.17.0.2"),
  forward("192.168.122.12", "172.17.0.3", {
    "ocdd.map": "80:8080,53:5353/udp",
    "ocdd.ports": "80,443,22,53/udp",
  }),
  forward("192.168.122.13", "172.17.0.4", { "ocdd.allow": "10.0.0.1,10.2.0.0/16", "ocdd.ports": "80" }),
  forward("192.168.122.14", "172.17.0.5", {
    "ocdd.allow": "10.0.0.1,10.2.0.0/16,10.4.0.0/16",
    "ocdd.ports": Array.from({ length: 31 }, (_, i) => `${80 + 2 * i}`).join(),
    "ocdd.map": "80:8080,82:8082",
  }),
]);

/** Chains of OCDD's that the kernel prints otherwise than they were rendered. */
async function misspelt(
  path: DataPath,
): Promise<{ differs: string[]; text: string; damaged: readonly string[] }> {
  const table = openIptablesTable(path.frame?.pool ?? []);
  await table.commit(path);
  const { snapshot, dataPath } = await table.read();
  const wanted = render(path);
  const names = new Set([...wanted.keys(), ...[...snapshot.chains.keys()].filter((name) => partOf(name))]);
  const differs = [...names].filter(
    (name) => JSON.stringify(wanted.get(name)) !== JSON.stringify(snapshot.chains.get(name)),
  );
  const same = JSON.stringify(dataPath.forwards) === JSON.stringify(path.forwards.map(canonical));
  return { differs, text: same ? "" : "forwards differ", damaged: dataPath.damaged };
}

const tasks: Readonly<Record<string, () => Promise<unknown>>> = {
  spelling: async () => [await misspelt(KINDS), await misspelt(manyForwards(300).path)],
  /** Commits, revokes, removes; the ruleset after each. */
  life: async () => {
    const table = openIptablesTable(POOL);
    const save = async (): Promise<string> =>
      (await execa("iptables-save")).stdout.replace(/\[\d+:\d+\]|^#.*$/gm, "");
    await execa("iptables-restore", { input: readFileSync(args[0] ?? "", "utf8") });
    const before = await save();
    await table.commit(KINDS);
    await table.revoke([KINDS.forwards[0]?.alias, KINDS.forwards[3]?.alias].filter((a) => a !== undefined));
    const left = (await table.read()).dataPath.forwards.map(({ alias }) => alias);
    await table.commit(KINDS);
    const back = (await table.read()).dataPath;
    await table.remove();
    return { left, back: back.forwards.length, damaged: back.damaged, same: (await save()) === before };
  },
  /** Two forwards that the kernel takes no rules for: an address that cannot be a target. */
  refused: async () => {
    const table = openIptablesTable(POOL);
    await table.commit(pathOf([forward("192.168.122.11", "172.17.0.2")]));
    const { refused } = await table.commit(
      pathOf([
        forward("192.168.122.11", "172.17.0.2"),
        ...["13", "15"].map((end) => ({
          ...forward(`192.168.122.${end}`, "172.17.0.2"),
          target: "no.such" as never,
        })),
        forward("192.168.122.16", "172.17.0.9"),
      ]),
    );
    const { dataPath } = await table.read();
    return { refused, served: dataPath.forwards.map(({ alias }) => alias), damaged: dataPath.damaged };
  },
};
console.log(JSON.stringify(await tasks[task]?.()));
