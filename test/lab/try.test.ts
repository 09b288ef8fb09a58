/** `ocdd try` on real engines: what the container is, that it answers while it lives, and that nothing of it is left in any case. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { aliases, ENGINES, hasAll, initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { storage } from "./ocdd.ts";
import { type Daemon, until } from "./process.ts";
import { addressOf } from "./sleeper.ts";

t.setTimeout(1_200_000);

type Json = Record<string, unknown>;

interface Tried {
  readonly name: string;
  readonly fqdn: string;
  readonly address: string;
}

for (const engine of ENGINES)
  t.test(`ocdd try, engine ${engine}`, async (t) => {
    const lab = await initializedLab(t, { name: `try-${engine}`, engine });
    const serve = await lab.serve();
    t.teardown(() => serve.stop());
    await production(lab);
    await t.test("the command's status is passed through; {name} and {address}", (t) => statuses(t, lab));
    await t.test("VALIDATE, with other data by --mount", (t) => validated(t, lab));
    await t.test("like the production container, but for what exists once", (t) => like(t, lab));
    if (!hasAll(engine)) return;
    await t.test("an image of this host; a name that nothing has", (t) => images(t, lab));
    await t.test("it does not become ready: Docker's words, its log, removed", (t) => failing(t, lab));
    await t.test("Ctrl-C, SIGTERM: removed, without watch", (t) => interrupted(t, lab));
    await t.test("two at the same time; removed by hand", (t) => beside(t, lab));
    await t.test("kill -9: removed by the next run", (t) => killed(t, lab));
    await t.test("the range is full: said, and removed", (t) => full(t, lab));
    await t.test("kill -9 at each step: nothing is left", (t) => killedAnywhere(t, lab));
    await t.test("kill -9: removed by watch; watch is killed meanwhile", (t) => watched(t, lab));
  });

/** A service as compose starts one, with data that its VALIDATE checks. */
async function production(lab: Lab): Promise<void> {
  for (const [directory, text] of [
    ["zones/good", "good"],
    ["zones/other", "changed"],
    ["zones/bad", "broken"],
  ] as const) {
    mkdirSync(join(lab.dir, directory), { recursive: true });
    writeFileSync(join(lab.dir, directory, "zone"), `${text}\n`);
  }
  await lab.docker("network", "create", "shop");
  await lab.docker("network", "create", "back");
  await lab.startContainer({
    name: "shop-web-1",
    compose: { project: "shop", service: "web" },
    network: "shop",
    labels: {
      "ocdd.ports": "80",
      "ocdd.wake": "true",
      "ocdd.aliases": "www",
      "ocdd.validate": `sh -c 'cat /data/zone; ! grep -q broken /data/zone || exit 5'`,
    },
    args: [
      ...[
        "-v",
        `${lab.dir}/zones/good:/data:ro`,
        "-v",
        "named:/named",
        "-v",
        "/anonymous",
        "--tmpfs",
        "/run/x",
      ],
      ...["--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--security-opt", "no-new-privileges"],
      ...["--memory", "64m", "--pids-limit", "50", "--ulimit", "nofile=1024", "--shm-size", "32m", "--init"],
      ...["--restart", "unless-stopped", "-p", "127.0.0.1:8099:80", "--hostname", "prod", "-w", "/tmp"],
      ...["--dns", "192.168.122.2", "--add-host", "x:10.0.0.1", "--network-alias", "web", "--user", "0:0"],
    ],
  });
  await lab.docker("network", "connect", "--alias", "db", "back", "shop-web-1");
  await lab.ocdd();
  await addressOf(lab, "shop-web-1");
}

/** Starts one that stays, and waits until it is ready. */
async function start(lab: Lab, ...args: string[]): Promise<{ daemon: Daemon; tried: Tried }> {
  const daemon = lab.startOcdd(["try", "web", "--env", "PAGE=tried", ...args]);
  let tried: Tried | undefined;
  await until("it is ready", () => {
    const [, name = "", fqdn = "", address = ""] =
      /^(try-web-[0-9a-f]{4}) is ready: (\S+) ([\d.]+)$/m.exec(daemon.output()) ?? [];
    if (!daemon.running()) throw new Error(`it has ended:\n${daemon.output()}`);
    tried = name === "" ? undefined : { name, fqdn, address };
    return tried !== undefined;
  });
  return { daemon, tried: tried as unknown as Tried };
}

const server = (lab: Lab, fqdn: string): Promise<string> => lab.dig(fqdn, `@${HOST_ADDRESS}`);
const containers = async (lab: Lab): Promise<string[]> =>
  (await lab.docker("ps", "-a", "--format", "{{.Names}}")).split("\n").filter(Boolean).sort();
const records = (lab: Lab): string[] => readdirSync(join(storage(lab), "tries"));

/** Name and address answer from the network. */
async function answers(t: Test, lab: Lab, { fqdn, address }: Tried): Promise<void> {
  await until("its name is answered", async () => (await server(lab, fqdn)) === address);
  t.equal(await lab.who(address), "tried", `${fqdn} at ${address}`);
}

/** Neither container, nor record, name, alias and anonymous volume; production is as it was. */
async function gone(t: Test, lab: Lab, { name, fqdn, address }: Tried, others = 0): Promise<void> {
  t.notOk((await containers(lab)).includes(name), "its container");
  t.notOk(records(lab).includes(`${name}.json`), "its record");
  await until("its name is gone", async () => (await server(lab, fqdn)) === "");
  t.notOk((await aliases(lab)).includes(address), "its alias");
  const { stdout } = await lab.run("host", ["iptables-save", "-t", "nat"]);
  t.notOk(stdout.includes(`${address}/32`), "its rule");
  const volumes = (await lab.docker("volume", "ls", "-q")).split("\n");
  t.equal(volumes.length, 2 + others, `a named one, and one for each container: ${volumes.join(" ")}`);
  t.equal(await lab.who(await addressOf(lab, "shop-web-1")), "shop-web-1");
}

async function statuses(t: Test, lab: Lab): Promise<void> {
  const script = 'echo "$1 $2"; test "$1" = "$3" || exit 9; exit 7';
  const ran = await lab.ocdd([
    ...["try", "web", "--", "sh", "-c", script, "sh"],
    ...["{name}", "{address}", "{name}"],
  ]);
  t.equal(ran.code, 7, ran.stderr);
  const [, name = ""] = /^(try-web-\w+) is ready/m.exec(ran.stderr) ?? [];
  const [fqdn = "", address = ""] = ran.stdout.trim().split(" ");
  t.equal(fqdn, `${name}.${ZONE}`);
  await gone(t, lab, { name, fqdn, address });
  const ended = await lab.ocdd(["try", "web", "--json", "--", "sh", "-c", "echo mixed; kill -KILL $$"]);
  t.equal(ended.code, 137);
  t.match(JSON.parse(ended.stdout), {
    command: "try",
    like: "web",
    commandStatus: 137,
    status: 137,
    error: null,
  });
  t.match(ended.stderr, /^mixed$/m);
  const missing = await lab.ocdd(["try", "web", "--", "/none"]);
  t.equal(missing.code, 1);
  t.match(missing.stderr, /^ocdd: \/none cannot be run: there is no such program$/m);
  t.same(await containers(lab), ["shop-web-1"]);
}

async function validated(t: Test, lab: Lab): Promise<void> {
  const reach = ["--", "curl", "-sS", "--max-time", "5", "http://{name}/"];
  const good = await lab.ocdd(["try", "web", "--validate"]);
  t.same([good.code, good.stdout.trim()], [0, "good"], good.stderr);
  const resolve = [
    "--",
    "sh",
    "-c",
    `dig +short @${HOST_ADDRESS} {name}; curl -sS --max-time 5 http://{address}/`,
  ];
  const mount = ["--mount", `${lab.dir}/zones/other:/data:ro`, "--env", "PAGE=tried"];
  const other = await lab.ocdd(["try", "web", "--validate", ...mount, ...resolve]);
  const [data, address, page] = other.stdout.split("\n");
  t.same([other.code, data, page], [0, "changed", "tried"], other.stderr);
  t.match(address, /^192\.168\.122\./, "the name answers as soon as the command runs");
  const bad = await lab.ocdd(["try", "web", "--validate", "--mount", `${lab.dir}/zones/bad:/data`, ...reach]);
  t.same([bad.code, bad.stdout.trim()], [5, "broken"], "the command is not run");
  t.match(bad.stderr, /VALIDATE failed with status 5/);
  const absent = await lab.ocdd(["try", "web", "--mount", "none:/data"]);
  t.match([absent.code, absent.stderr], [1, /there is no file and no directory .*\/none/]);
  t.same(await containers(lab), ["shop-web-1"]);
}

/** Fields in which the two may differ. */
const ONCE = {
  Config: ["Hostname", "Image", "Labels", "Entrypoint", "OnBuild", "StopTimeout", "Env"],
  HostConfig: ["PortBindings", "RestartPolicy", "LogConfig", "Mounts", "ConsoleSize"],
} as const;

async function like(t: Test, lab: Lab): Promise<void> {
  const { daemon, tried } = await start(lab, "--validate", "--", "sleep", "600");
  const inspect = async (name: string): Promise<Json & { Config: Json; HostConfig: Json }> =>
    JSON.parse(await lab.docker("inspect", name))[0];
  const [production, one] = [await inspect("shop-web-1"), await inspect(tried.name)];
  t.equal(one.Image, production.Image);
  for (const part of ["Config", "HostConfig"] as const) {
    const once: readonly string[] = ONCE[part];
    const keys = Object.keys(production[part]).filter((key) => !once.includes(key));
    t.ok(keys.length > 10);
    for (const key of keys) t.same(one[part][key], production[part][key], `${part}.${key}`);
  }
  const environment = [...(production.Config.Env as string[])].filter((line) => !line.startsWith("PAGE="));
  t.same([...(one.Config.Env as string[])].sort(), [...environment, "PAGE=tried"].sort());
  t.same(one.HostConfig.PortBindings ?? {}, {});
  t.match(one.HostConfig.RestartPolicy, { Name: /^(no)?$/ });
  const labels = one.Config.Labels as Record<string, string>;
  t.notOk(Object.keys(labels).some((key) => key.startsWith("com.docker.")));
  t.match(labels, { "ocdd.try": tried.name, "ocdd.wake": "false", "ocdd.ports": "80" });
  const networks = (one.NetworkSettings as { Networks: Record<string, { Aliases: string[] | null }> })
    .Networks;
  t.same(Object.keys(networks).sort(), ["back", "shop"]);
  for (const { Aliases } of Object.values(networks))
    t.notOk(Aliases?.some((alias) => /^(web|db)$/.test(alias)));
  await answers(t, lab, tried);
  t.equal(await daemon.stop("SIGTERM"), 143, "the command was ended by it");
  await gone(t, lab, tried);
}

async function images(t: Test, lab: Lab): Promise<void> {
  const ran = await lab.ocdd([
    "try",
    "lab/web:1",
    "--env",
    "PAGE=image",
    "--",
    "curl",
    "-sS",
    "http://{address}/",
  ]);
  t.same([ran.code, ran.stdout], [0, "image"], ran.stderr);
  const none = await lab.ocdd(["try", "wbe"]);
  t.equal(none.code, 1);
  t.match(none.stderr, /no service, no container and no image "wbe" on this host; the nearest name is web/);
  t.match(none.stderr, /docker pull wbe/);
  t.equal((await lab.ocdd(["try"])).code, 64);
  t.equal((await lab.ocdd(["try", "web", "--mount", "x"])).code, 64);
  await lab.startContainer({ name: "hosted", network: "host", command: ["sleep", "600"] });
  t.match((await lab.ocdd(["try", "hosted"])).stderr, /hosted cannot be tried: it is on the host's network/);
  await lab.removeContainers("hosted");
}

async function failing(t: Test, lab: Lab): Promise<void> {
  const events = (): string[] =>
    readFileSync(join(storage(lab), "events.jsonl"), "utf8")
      .trim()
      .split("\n");
  await lab.docker("create", "--name", "ends", "lab/web:1", "sh", "-c", "printf '\\033[31mred\\n'; exit 3");
  const ends = await lab.ocdd(["try", "ends"]);
  t.equal(ends.code, 1);
  t.match(ends.stderr, /^ {2}red$/m, "its log, printable");
  t.match(ends.stderr, /^ocdd: try-ends-\w+: .*ended with status 3/m);
  await lab.docker("create", "--name", "none", "lab/web:1", "/no/such/program");
  const none = await lab.ocdd(["try", "none", "--json"]);
  t.equal(none.code, 1);
  t.match(JSON.parse(none.stdout).error, /\/no\/such\/program/, "Docker's own words");
  const last = events()
    .slice(-2)
    .map((line) => JSON.parse(line));
  t.match(last, [
    { event: "create", reason: "ocdd try none", container: /^try-none-/ },
    { event: "remove", reason: "ocdd try none" },
  ]);
  await lab.removeContainers("ends", "none");
  t.same([await containers(lab), records(lab)], [["shop-web-1"], []]);
}

async function interrupted(t: Test, lab: Lab): Promise<void> {
  for (const [name, args, status] of [
    ["SIGINT", [], 0],
    ["SIGTERM", [], 0],
    ["SIGINT", ["--", "sleep", "600"], 130],
    ["SIGTERM", ["--", "sleep", "600"], 143],
  ] as const) {
    const { daemon, tried } = await start(lab, ...args);
    await answers(t, lab, tried);
    if (status === 0)
      await until("it says how it is ended", () => daemon.output().includes("SIGTERM; it is removed then"));
    t.equal(await daemon.stop(name), status, `${name} ${args.join(" ")}`);
    await gone(t, lab, tried);
  }
  const starting = lab.startOcdd(["try", "web", "--", "true"]);
  await until("it is created", () => starting.output().includes("is created"));
  t.equal(await starting.stop("SIGINT"), 130, "while it is started");
  t.same([await containers(lab), records(lab)], [["shop-web-1"], []]);
}

async function beside(t: Test, lab: Lab): Promise<void> {
  const [first, second] = await Promise.all([start(lab), start(lab)]);
  await answers(t, lab, first.tried);
  await answers(t, lab, second.tried);
  t.equal(await first.daemon.stop("SIGINT"), 0);
  await gone(t, lab, first.tried, 1);
  await answers(t, lab, second.tried);
  await lab.docker("rm", "-f", "-v", second.tried.name);
  await until("it has ended by itself", () => !second.daemon.running());
  t.match(second.daemon.output(), /its container has (been removed|ended with status 137)/);
  await gone(t, lab, second.tried);
}

async function full(t: Test, lab: Lab): Promise<void> {
  const address = await addressOf(lab, "shop-web-1");
  const conf = { IP_RANGE: `${address}-${address}` };
  const ran = await lab.ocdd(["try", "web"], { conf });
  t.equal(ran.code, 1);
  t.match(ran.stderr, /it is not served: the address range is full/);
  t.same([await containers(lab), records(lab)], [["shop-web-1"], []]);
  await lab.ocdd();
}

async function killed(t: Test, lab: Lab): Promise<void> {
  const { daemon, tried } = await start(lab);
  const other = await start(lab);
  await daemon.stop("SIGKILL");
  t.ok((await containers(lab)).includes(tried.name));
  await lab.docker("run", "-d", "--name", "label-only", "--label", `ocdd.try=${tried.name}`, "lab/web:1");
  const ran = await lab.ocdd();
  t.match(ran.stderr, `${tried.name} is removed: its ocdd try has ended without removing it`);
  await gone(t, lab, tried, 1);
  await answers(t, lab, other.tried);
  t.ok((await containers(lab)).includes("label-only"), "a label alone is not enough");
  await lab.removeContainers("label-only");
  await other.daemon.stop("SIGINT");
  await gone(t, lab, other.tried);
}

async function killedAnywhere(t: Test, lab: Lab): Promise<void> {
  const hasRecord = (): boolean => records(lab).some((file) => file.endsWith(".json"));
  const says = (daemon: Daemon, words: string) => () => daemon.output().includes(words);
  const before = (await aliases(lab)).join();
  for (const [step, reached] of [
    ["recorded", () => hasRecord],
    ["created", (daemon: Daemon) => says(daemon, "is created")],
    ["ready", (daemon: Daemon) => says(daemon, "is ready")],
    ["being removed", (daemon: Daemon) => says(daemon, "is ready")],
    ["removed", (daemon: Daemon) => says(daemon, "is removed")],
  ] as const) {
    const daemon = lab.startOcdd(["try", "web", ...(step === "removed" ? ["--", "true"] : [])]);
    await until(`it is ${step}`, reached(daemon), { pause: 2 });
    if (step === "being removed") process.kill(daemon.pid, "SIGINT");
    await daemon.stop("SIGKILL");
    // Docker may still be creating it
    await until("nothing is left", async () => {
      const { code, stderr } = await lab.ocdd();
      if (code !== 0) throw new Error(stderr);
      return (await containers(lab)).join() === "shop-web-1" && (await aliases(lab)).join() === before;
    });
    t.ok(records(lab).length <= 1, `${step}: ${records(lab).join(" ")}`);
    for (const file of records(lab)) rmSync(join(storage(lab), "tries", file));
  }
}

async function watched(t: Test, lab: Lab): Promise<void> {
  const { daemon, tried } = await start(lab);
  await daemon.stop("SIGKILL");
  const watch = lab.startOcdd(["watch"]);
  const isGone = async (one: Tried): Promise<boolean> => !(await containers(lab)).includes(one.name);
  await until("watch removes it", () => isGone(tried));
  await until("its alias is gone", async () => !(await aliases(lab)).includes(tried.address));
  await until("it says so", () => watch.output().includes(`${tried.name} is removed`));
  await gone(t, lab, tried);
  const next = await start(lab);
  await answers(t, lab, next.tried);
  await watch.stop("SIGKILL");
  await answers(t, lab, next.tried);
  t.equal(await next.daemon.stop("SIGTERM"), 0);
  await gone(t, lab, next.tried);
}
