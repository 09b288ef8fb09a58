/** What can happen in the random walk: to containers, to the rest of the host, to a run. */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { DeviceAddress } from "../../src/core/model.ts";
import { ip } from "../core/make.ts";
import type { Moment } from "../fake/floor.ts";
import { containers, deed, late, lateness, names, type Step, withOne } from "./walk-containers.ts";
import type { World } from "./world.ts";

export const RANGES = {
  small: "192.168.122.11-192.168.122.16",
  usual: "192.168.122.11-192.168.122.30",
  moved: "192.168.122.14-192.168.122.25",
} as const;

/** Of another program or the operator: must be unchanged after every run. */
const FOREIGN: readonly DeviceAddress[] = [
  { device: "ens3", address: ip("192.168.122.40"), prefix: 32, label: "ens3" },
  { device: "ens3", address: ip("192.168.122.10"), prefix: 32, label: "ens3:ocdx" },
  { device: "ens3", address: ip("192.168.122.20"), prefix: 24, label: "ens3" },
  { device: "ens4", address: ip("10.3.3.3"), prefix: 32, label: "ens4" },
];
const FOREIGN_RULES = [
  "-A INPUT -s 10.9.9.9/32 -j DROP",
  "-A FORWARD -m comment --comment NOT-OCDD -j ACCEPT",
];

const when = fc.constantFrom<Moment["when"]>("before", "after");
const calls = fc.nat(30);

const others: fc.Arbitrary<Step>[] = [
  fc.constantFrom(1, 30, 179, 181, 700).map((s) =>
    deed(`${s} s pass`, async (w) => {
      // Docker's list is late by less than that
      await w.settle();
      w.now += s;
    }),
  ),
  fc.constantFrom(...FOREIGN).map((a) =>
    deed(`foreign ${a.address}/${a.prefix} ${a.label}`, (w) => {
      const { kernel } = w.floor;
      if (kernel.addresses.some((b) => b.address === a.address && b.device === a.device)) return;
      kernel.addresses = [...kernel.addresses, a];
      w.judge.foreign.add(a);
      w.tampered();
    }),
  ),
  fc.constantFrom(...FOREIGN_RULES).map((rule) =>
    deed(`foreign rule ${rule}`, (w) => {
      const { kernel } = w.floor;
      const chain = rule.split(" ")[1];
      if (!kernel.rules.includes(`-A ${chain} `)) return;
      w.judge.foreignRules.add(rule);
      if (!kernel.rules.includes(rule))
        kernel.rules = kernel.rules.replace(new RegExp(`^-A ${chain} `, "m"), `${rule}\n$&`);
      w.tampered();
    }),
  ),
  fc.nat(9).map((n) =>
    deed(`alias #${n} vanishes`, (w) => {
      const { kernel } = w.floor;
      const aliases = kernel.addresses.filter((a) => a.label === "ens3:ocdd");
      const gone = aliases[n % Math.max(1, aliases.length)];
      if (gone === undefined) return;
      kernel.addresses = kernel.addresses.filter((a) => a !== gone);
      kernel.unannounced.delete(gone.address);
      w.tampered();
    }),
  ),
  fc.constantFrom("OCDD", "OCDD-INPUT", "PREROUTING", "FORWARD", "DOCKER-USER", "OUTPUT").map((chain) =>
    deed(`flush ${chain}`, (w) => {
      const { kernel } = w.floor;
      const own = [...w.judge.foreignRules].filter((rule) => rule.startsWith(`-A ${chain} `));
      if (own.length > 0) return;
      kernel.rules = kernel.rules.replace(new RegExp(`^-A ${chain} .*\\n`, "gm"), "");
      w.tampered();
    }),
  ),
  fc.constantFrom("ip", "bridge").map((family) =>
    deed(`nft delete table ${family}`, (w) => {
      w.floor.kernel.nft.tables.delete(`${family} ocdd`);
      w.tampered();
    }),
  ),
  fc.constantFrom("ip leased", "ip targets", "ip policies", "bridge bridge-ports").map((which) =>
    deed(`nft delete element ${which}`, (w) => {
      const [family, name = ""] = which.split(" ");
      const set = w.floor.kernel.nft.tables.get(`${family} ocdd`)?.sets.get(name);
      for (const key of [...(set?.keys() ?? [])].slice(0, 1)) set?.delete(key);
      w.tampered();
    }),
  ),
  fc.constant(
    deed("nft, a target is another", (w) => {
      const targets = w.floor.kernel.nft.tables.get("ip ocdd")?.sets.get("targets");
      for (const key of targets?.keys() ?? []) targets?.set(key, `${key} : 172.17.0.99`);
      w.tampered();
    }),
  ),
  fc
    .integer({ min: 11, max: 30 })
    .map((octet) =>
      deed(`.${octet} is another machine's`, (w) => void w.floor.neighbours.add(ip(`192.168.122.${octet}`))),
    ),
  fc.constant(deed("no other machine is there", (w) => w.floor.neighbours.clear())),
  fc.constantFrom("leases", "both").map((which) =>
    deed(`${which} damaged`, (w) => {
      const file = join(w.floor.directory, "leases.json");
      if (!existsSync(file)) return;
      writeFileSync(file, "damaged");
      if (which === "both" || !existsSync(`${file}.previous`)) writeFileSync(`${file}.previous`, "damaged");
      w.judge.forget();
    }),
  ),
];

/** Runs that are disturbed. */
const troubles: fc.Arbitrary<Step>[] = [
  fc
    .tuple(calls, when)
    .map(([n, at]) =>
      deed(`run, killed ${at} call ${n}`, (w) =>
        w.attempt({ calls: n, when: at, what: () => w.director.kill() }),
      ),
    ),
  fc.tuple(calls, when, fc.nat(9), late).map(([n, at, which, is]) =>
    deed(`run, #${which} ends${lateness(is)} ${at} call ${n}`, (w) =>
      w.attempt({
        calls: n,
        when: at,
        what: () => w.meanwhile(withOne(w, which, (one) => w.stop(one, is))),
      }),
    ),
  ),
  fc
    .tuple(calls, when, names, late)
    .map(([n, at, name, is]) =>
      deed(`run, ${name} starts${lateness(is)} ${at} call ${n}`, (w) =>
        w.attempt({ calls: n, when: at, what: () => w.meanwhile(w.start(name, new Map(), "bridge", is)) }),
      ),
    ),
  fc
    .tuple(fc.constantFrom("ip ", "iptables-restore", "conntrack", "nft -f", "netlink"), fc.nat(2))
    .map(([program, n]) =>
      deed(`run, ${program} fails at its call ${n}`, async (w) => {
        let left = n;
        w.floor.fails = (command) => command.startsWith(program) && left-- === 0;
        await w.attempt();
        w.floor.fails = undefined;
      }),
    ),
  fc.constant(
    deed("run, Docker does not answer", async (w) => {
      w.floor.docker.down = true;
      await w.attempt();
      w.floor.docker.down = false;
    }),
  ),
  fc.constant(deed("the director is started again", (w) => w.restart())),
  fc.constant(
    deed("run", async (w) => {
      await w.run();
    }),
  ),
];

export const commands: fc.Arbitrary<Step>[] = [...containers, ...others, ...troubles];

/** Runs after which everything is checked. */
export function runs(converge: (world: World) => Promise<void>): fc.Arbitrary<Step>[] {
  const run = fc.constant(deed("run, and everything is checked", converge));
  const moved = fc.constantFrom(...Object.values(RANGES)).map((range) =>
    deed(`range ${range}`, async (w) => {
      w.reconfigure(range);
      await converge(w);
    }),
  );
  return [run, run, run, moved];
}
