/** examples/dns on real engines: a commit is pushed, the webhook runs UPDATE, its zone is served. */
import { createHmac } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { apply, initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { addProgram } from "./image.ts";
import { HOST_ADDRESS } from "./network.ts";
import { type Daemon, type Outcome, run, until } from "./process.ts";
import { addressOf, inspected } from "./sleeper.ts";

t.setTimeout(1_200_000);

const EXAMPLE = fileURLToPath(new URL("../../examples/dns/", import.meta.url));
const BASE = "lab/bind:12";
const SECRET = "of the lab, and of nothing else";
const URL_OF_HOOK = `http://${HOST_ADDRESS}:9053/`;
const SERVED = "192.168.122.80";

/** In place of Debian's image, which is in a registry: the machine's BIND and git, and busybox's shell. */
async function importBind(lab: Lab): Promise<void> {
  const root = join(lab.dir, "bind");
  for (const part of ["bin", "etc", "tmp", "var/cache/bind"])
    mkdirSync(join(root, part), { recursive: true });
  chmodSync(join(root, "tmp"), 0o1777);
  for (const program of ["busybox", "named", "named-checkconf", "dig", "git"])
    await addProgram(root, program);
  symlinkSync("git", join(root, "bin/git-upload-pack"));
  const { stdout } = await run(["busybox", "--list"]);
  for (const applet of stdout.split("\n"))
    if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0::/root:/bin/sh\nbind:x:101:101::/var/cache/bind:/bin/sh\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\nbind:x:101:\n");
  const archive = join(lab.dir, "bind.tar");
  await run(["tar", "-C", root, "-cf", archive, "."]);
  await lab.docker("import", "-c", "ENV PATH=/bin", archive, BASE);
  rmSync(root, { recursive: true });
  rmSync(archive);
}

/** A developer's checkout, and the repository that the service reads. */
class Zones {
  readonly work: string;
  readonly bare: string;

  constructor(lab: Lab) {
    this.work = join(lab.dir, "zones");
    this.bare = join(lab.dir, "zones.git");
  }

  git(...args: string[]): Promise<Outcome> {
    return run(["git", "-c", "user.name=lab", "-c", "user.email=lab@example.com", ...args], {
      cwd: this.work,
    });
  }

  async create(): Promise<void> {
    cpSync(join(EXAMPLE, "zones"), this.work, { recursive: true });
    await this.git("init", "--quiet", "-b", "main");
    await this.git("add", ".");
    await this.git("commit", "--quiet", "-m", "first");
    await this.git("clone", "--quiet", "--bare", ".", this.bare);
  }

  /** Changes the zone; its serial is one more. */
  edit(change: (zone: string) => string): void {
    const file = join(this.work, "example.com.zone");
    const next = (serial: string): string => String(Number(serial) + 1);
    writeFileSync(file, change(readFileSync(file, "utf8").replace(/\b20\d{8}\b/, next)));
  }

  /** Pushes what has been changed, and returns the commit as UPDATE names it. */
  async push(): Promise<string> {
    await this.git("commit", "--quiet", "-a", "-m", "change");
    await this.git("push", "--quiet", this.bare, "main");
    return (await this.git("rev-parse", "--short", "HEAD")).stdout;
  }
}

/** The environment of programs of the host that run `ocdd` and Docker's client, `ocdd` with the lab's configuration. */
function environment(lab: Lab, zones: Zones): Record<string, string> {
  const bin = join(lab.dir, "bin");
  mkdirSync(bin, { recursive: true });
  const words = lab.ocddCommand([]).slice(lab.enterFully("host").length);
  const command = words.map((word) => `'${word}'`).join(" ");
  writeFileSync(join(bin, "ocdd"), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  return {
    PATH: `${bin}:${process.env.PATH}`,
    OCDD_SERVICES: "none",
    DOCKER_HOST: `unix://${lab.dockerSocket}`,
    DOCKER_BUILDKIT: "0",
    ZONES_GIT: zones.bare,
  };
}

/** With the capability that its unit leaves it. */
async function startHook(lab: Lab, env: Readonly<Record<string, string>>): Promise<Daemon> {
  const secret = join(lab.dir, "secret");
  writeFileSync(secret, SECRET, { mode: 0o600 });
  const words = { ...env, LISTEN: `${HOST_ADDRESS}:9053`, SECRET_FILE: secret };
  const hook = lab.spawn(
    "host",
    [
      ...["setpriv", "--bounding-set=-all,+kill", "--inh-caps=-all", "env"],
      ...Object.entries(words).map(([key, value]) => `${key}=${value}`),
      ...[process.execPath, join(EXAMPLE, "hook.mjs")],
    ],
    { label: "hook", full: true },
  );
  await until("the hook listens", () => hook.output().includes("listens on"));
  return hook;
}

/** What the hook answers to a push. */
async function call(lab: Lab, secret = SECRET): Promise<string> {
  const body = JSON.stringify({ ref: "refs/heads/main" });
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", body];
  const header = ["-H", `X-Hub-Signature-256: sha256=${signature}`];
  return (await lab.run("client", [...curl, ...header, URL_OF_HOOK])).stdout;
}

t.test("the example of a DNS service", async (t) => {
  const lab = await initializedLab(t, { name: "dns-example", dns: false });
  await importBind(lab);
  const zones = new Zones(lab);
  await zones.create();
  const env = environment(lab, zones);
  const compose = (...args: string[]) => run(["docker-compose", ...args], { env, cwd: EXAMPLE });
  await compose("build", "--build-arg", `BASE=${BASE}`);
  await compose("up", "-d", "--no-build");
  await apply(lab);
  const name = await lab.docker("ps", "--format", "{{.Names}}");
  const address = await addressOf(lab, name);
  const scene = { lab, zones, name, address, hook: await startHook(lab, env) };
  await until("it serves", async () => (await ask(scene, "www")) === SERVED);
  await commits(t, scene);
  await refusesBroken(t, scene);
  await refusesUnsigned(t, scene);
  await says(t, scene);
  await tries(t, scene);
  // with engine 20.10: compose 1 cannot replace a container of a current one
  await rebuilds(t, scene, env);
});

interface Scene {
  readonly lab: Lab;
  readonly zones: Zones;
  /** Of the container. */
  readonly name: string;
  readonly address: string;
  readonly hook: Daemon;
}

/** The address of a name of the zone, asked from the office PC. */
const ask = ({ lab, address }: Scene, name: string): Promise<string> =>
  lab.dig(`${name}.example.com`, `@${address}`);

/** Lines with which the hook says that a run has ended. */
const results = ({ hook }: Scene): string[] => hook.output().match(/^update of dns: .*/gm) ?? [];

/** Calls the hook, and waits until its run has ended: the result. */
async function updated(scene: Scene): Promise<string | undefined> {
  const before = results(scene).length;
  t.equal(await call(scene.lab), "202");
  await until("UPDATE has ended", () => results(scene).length > before);
  return results(scene).at(-1);
}

async function commits(t: Test, scene: Scene): Promise<void> {
  await t.test("a commit is served within 10 s of the call, by the same process", async (t) => {
    const { lab, zones, name, hook } = scene;
    const started = await inspected(lab, name, ".State.StartedAt");
    zones.edit((zone) => `${zone}new  IN A   192.168.122.81\n`);
    const commit = await zones.push();
    t.equal(await ask(scene, "new"), "", "not before the call");
    t.equal(await call(lab), "202");
    await until("the new name is served", async () => (await ask(scene, "new")) === "192.168.122.81");
    await until("the hook says so", () => results(scene).at(-1) === "update of dns: done");
    t.match(
      hook.output(),
      ["Fetching...", "Validating...", "Reloading..."].map((step) => `  >> ${step}\n`).join(""),
    );
    t.match(hook.output(), `  ${commit} is served\n`);
    t.notMatch(hook.output(), "not stored", "with what its unit leaves it");
    t.equal(await ask(scene, "www"), SERVED, "the others stay");
    t.equal(await inspected(lab, name, ".State.StartedAt"), started);
  });
}

async function refusesBroken(t: Test, scene: Scene): Promise<void> {
  await t.test(
    "a broken zone is refused with the checker's words, the data before it are served",
    async (t) => {
      const { lab, zones, hook } = scene;
      zones.edit((zone) => zone.replace(SERVED, "192.168.122.800"));
      const broken = await zones.push();
      t.equal(await updated(scene), "update of dns: failed (1)");
      t.match(
        hook.output(),
        `${broken} is refused: dns_rdata_fromtext: example.com.zone:5: near '192.168.122.800'`,
      );
      t.equal(await ask(scene, "www"), SERVED);
      const validate = await lab.ocdd(["validate", "dns"]);
      t.match([validate.code, validate.stdout], [0, "zone example.com/IN: loaded serial 2026112902"]);
      t.match((await lab.ocdd(["list"])).stdout, /^dns .* passed /m);
      await t.test("a file whose name would be configuration", async (t) => {
        zones.edit((zone) => zone.replace("192.168.122.800", "192.168.122.82"));
        writeFileSync(join(zones.work, 'x"; }; include "x.zone'), "");
        await zones.git("add", ".");
        await zones.push();
        t.equal(await updated(scene), "update of dns: failed (1)");
        t.match(hook.output(), "no zone file: its name is that of the zone");
        t.equal(await ask(scene, "www"), SERVED);
      });
      await t.test("the commit that mends it, with another zone", async (t) => {
        await zones.git("rm", "--quiet", 'x"; }; include "x.zone');
        cpSync(join(zones.work, "example.com.zone"), join(zones.work, "example.net.zone"));
        await zones.git("add", ".");
        await zones.push();
        t.equal(await updated(scene), "update of dns: done");
        t.equal(await ask(scene, "www"), "192.168.122.82");
        t.equal(await lab.dig("www.example.net", `@${scene.address}`), "192.168.122.82");
      });
    },
  );
  await t.test("VALIDATE: named does not answer with what is in the file, a file is broken", async (t) => {
    const { lab, name } = scene;
    const change = (from: string, to: string): Promise<string> =>
      lab.docker("exec", name, "sed", "-i", `s/${from}/${to}/`, "/zones/example.com.zone");
    await change("2026112904", "2026112999");
    const validate = await lab.ocdd(["validate", "dns"]);
    const words = "zone example.com: named answers with 2026112904, the file has 2026112999";
    t.match([validate.code, validate.stdout], [1, words]);
    t.match((await lab.ocdd(["list"])).stdout, /^dns .* failed /m);
    const update = await lab.ocdd(["update", "dns"]);
    t.match([update.code, update.stdout], [1, "/zones has changes that are in no commit"]);
    await change("2026112999", "2026112904");
    await change("192.168.122.82", "192.168.122.822");
    const broken = await lab.ocdd(["validate", "dns"]);
    t.equal(broken.code, 1);
    t.match(
      broken.stdout,
      /^dns .* status 1: dns_rdata_fromtext: example.com.zone:5: near '192.168.122.822'/m,
    );
    await change("192.168.122.822", "192.168.122.82");
    t.equal((await lab.ocdd(["validate", "dns"])).code, 0);
  });
}

async function refusesUnsigned(t: Test, scene: Scene): Promise<void> {
  await t.test("a wrong signature: 403, and nothing runs", async (t) => {
    const before = results(scene).length;
    t.equal(await call(scene.lab, "another secret"), "403");
    // a run that had been begun would be the one at a time: this one has no other before it
    t.equal(await updated(scene), "update of dns: done");
    t.equal(results(scene).length, before + 1);
    t.notMatch(scene.hook.output(), "remembered");
  });
}

async function says(t: Test, { lab }: Scene): Promise<void> {
  await t.test("examine: methods and metadata", async (t) => {
    const { stdout } = await lab.ocdd(["examine", "dns"]);
    for (const line of [
      "   Container supports START method using command /srv/start",
      "   Container supports UPDATE method using command /srv/update",
      "   Container supports VALIDATE method using command /srv/validate",
      "Metadata for image dns",
    ])
      t.match(stdout, `${line}\n`);
  });
}

async function tries(t: Test, scene: Scene): Promise<void> {
  const { lab, zones } = scene;
  const attempt = (...args: string[]): Promise<Outcome> =>
    lab.ocdd(["try", "dns", "--mount", `${zones.work}:/zones:ro`, ...args]);
  await t.test(
    "ocdd try: a change that is not committed is shown, the service does not have it",
    async (t) => {
      zones.edit((zone) => zone.replace("192.168.122.82", "192.168.122.83"));
      const dig = ["dig", "+short", "@{address}", "www.example.com"];
      const shown = await attempt("--validate", "--", ...dig);
      t.match([shown.code, shown.stdout], [0, /^192\.168\.122\.83$/m], shown.stderr);
      t.equal(await ask(scene, "www"), "192.168.122.82");
    },
  );
  await t.test("ocdd try: a mistake is shown before it is committed", async (t) => {
    zones.edit((zone) => zone.replace("192.168.122.83", "192.168.122.833"));
    const { code, stdout, stderr } = await attempt("--validate");
    t.equal(code, 1);
    t.match(
      stderr,
      /VALIDATE failed with status 1: dns_rdata_fromtext: example.com.zone:5: near '192.168.122.833'/,
      stdout,
    );
    t.equal((await lab.docker("ps", "-aq")).split("\n").length, 1, "it is removed");
  });
}

async function rebuilds(t: Test, scene: Scene, env: Readonly<Record<string, string>>): Promise<void> {
  const { lab, name } = scene;
  const rebuild = (more: Readonly<Record<string, string>>) =>
    lab.runFully("host", ["sh", join(EXAMPLE, "rebuild.sh")], { env: { ...env, ...more }, check: false });
  await t.test("rebuild.sh: an image of today takes its place, name, address and data stay", async (t) => {
    const before = await inspected(lab, name, ".Image");
    const { code, stdout, stderr } = await rebuild({ BASE });
    t.equal(code, 0, stdout + stderr);
    await apply(lab);
    const now = await lab.docker("ps", "--format", "{{.Names}}");
    t.not(await inspected(lab, now, ".Image"), before);
    t.equal(await addressOf(lab, now), scene.address);
    t.equal(await ask(scene, "www"), "192.168.122.82");
    const examined = (await lab.ocdd(["examine", "dns"])).stdout;
    t.match(examined, /Image Tag Names: dns:\d{4}-\d\d-\d\d\n/);
    t.match(examined, /CI Run: true\n/);
    t.match(examined, /Build Cause: TIMERTRIGGER\n/);
  });
  await t.test("rebuild.sh with an image that does not serve: it is not put in force", async (t) => {
    const [before, image] = [await running(lab), await broken(lab, 1, "exit 1")];
    const { code, stdout, stderr } = await rebuild({ BASE: image });
    t.equal(code, 1, stdout + stderr);
    t.match(stdout, />> Trying\.\.\.$/);
    t.equal(await running(lab), before);
  });
  await t.test(
    "rebuild.sh with an image that serves only while it is tried: the old one is put back",
    async (t) => {
      const before = await inspected(lab, await running(lab), ".Image");
      const image = await broken(
        lab,
        2,
        "grep -q NoNewPrivs:.1 /proc/self/status && exit 1; exec named.real $@",
      );
      const { code, stdout, stderr } = await rebuild({ BASE: image });
      t.equal(code, 1, stdout + stderr);
      t.match(stdout, ">> Swapping...");
      t.match(stdout, "the old one is put back");
      await apply(lab);
      t.equal(await inspected(lab, await running(lab), ".Image"), before);
      t.equal(await ask(scene, "www"), "192.168.122.82");
    },
  );
}

/** Id of the container. */
const running = (lab: Lab): Promise<string> => lab.docker("ps", "-q", "--no-trunc");

/** The base with a script in the place of named. */
async function broken(lab: Lab, number: number, script: string): Promise<string> {
  const directory = join(lab.dir, `broken-${number}`);
  mkdirSync(directory);
  writeFileSync(join(directory, "named"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const lines = [`FROM ${BASE}`, "RUN mv /bin/named /bin/named.real", "COPY named /bin/named", ""];
  writeFileSync(join(directory, "Dockerfile"), lines.join("\n"));
  await lab.docker("build", "-t", `lab/broken:${number}`, directory);
  return `lab/broken:${number}`;
}
