/** Many services that sleep, all visited at once by many clients. */
import type { Lab } from "../test/lab/handle.ts";
import { until } from "../test/lab/process.ts";
import { load, median, percentile, say, table } from "./report.ts";
import { aliasesOf, CONF, create, rulesOf, stop, type Visitors, visitors } from "./wake-lab.ts";

const SLEEPERS = Number(process.env.SLEEPERS ?? 100);
const VISITORS = Number(process.env.VISITORS ?? 10);
/** Linux gives up a connection after some 130 s. */
const PATIENCE_MS = 125_000;
/** Addresses of the clients. */
const from = (n: number): string => `192.168.122.${50 + (n % 10)}`;
const KINDS = ["tcp", "http"] as const;

export async function measureCrowd(lab: Lab): Promise<void> {
  const names = Array.from({ length: SLEEPERS }, (_, n) => `sleeper${n}`);
  for (const name of names) await create(lab, name, { "ocdd.wake": "true", "ocdd.wake.timeout": "300s" });
  const watch = lab.startOcdd(["watch"], CONF);
  const aliases = await aliasesOf(lab, names);
  await until("all wait", async () => (await rulesOf(lab)).waits.size >= SLEEPERS);
  for (let n = 1; n < 10; n++) await lab.run("client", ["ip", "addr", "add", `${from(n)}/24`, "dev", "eth0"]);
  const client = visitors(lab, "client");
  const rows: (string | number)[][] = [];
  for (const kind of KINDS) {
    rows.push(await visitAll(kind, names, aliases, client));
    await Promise.all(names.map((name) => stop(lab, name)));
    await until("all wait", async () => (await rulesOf(lab)).waits.size >= SLEEPERS);
  }
  table(
    ["protocol", "visits", "answered", "by another", "failed", "last after", "median", "99 %", "load"],
    rows,
  );
  const warnings = watch
    .output()
    .split("\n")
    .filter((line) => /could not|cannot/.test(line));
  for (const line of warnings.slice(0, 10)) say(line);
  await client.close();
  await watch.stop();
}

async function visitAll(
  kind: (typeof KINDS)[number],
  names: readonly string[],
  aliases: ReadonlyMap<string, string>,
  client: Visitors,
): Promise<(string | number)[]> {
  const began = performance.now();
  const all = names.flatMap((name) =>
    Array.from({ length: VISITORS }, async (_, n) => {
      const address = aliases.get(name) ?? "";
      const visited = await client.visit({ kind, address, from: from(n), patience: PATIENCE_MS });
      return { ...visited, right: visited.error === null && visited.answers.join() === name };
    }),
  );
  const visits = await Promise.all(all);
  const seconds = (performance.now() - began) / 1000;
  const answered = visits.filter(({ right }) => right);
  const wrong = visits.filter(({ error, right }) => error === null && !right);
  const errors = new Map<string, number>();
  for (const { error } of visits) if (error !== null) errors.set(error, (errors.get(error) ?? 0) + 1);
  const ms = answered.map((one) => one.ms / 1000);
  return [
    kind,
    visits.length,
    answered.length,
    wrong.length,
    [...errors].map(([error, n]) => `${n} × ${error}`).join("; ") || "0",
    `${seconds.toFixed(1)} s`,
    `${median(ms).toFixed(1)} s`,
    `${percentile(ms, 99).toFixed(1)} s`,
    load(),
  ];
}
