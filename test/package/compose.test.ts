/** The README's compose path: build the image, `ocdd initialize` with SERVICES=compose, and containers have names. */

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { buildImage } from "../../packaging/image.ts";
import { textOf } from "../../packaging/surface.ts";
import { addresses, aliasOf, labFor, succeed } from "../lab/director.ts";
import { HOST_ADDRESS, ZONE } from "../lab/network.ts";
import { storage, writeConf } from "../lab/ocdd.ts";
import { until } from "../lab/process.ts";
import { BASE, importBase } from "./base-image.ts";
import { seccompProfile } from "./seccomp.ts";

/** As one that was built elsewhere and loaded: the configuration says which it is. */
const IMAGE = "registry.test/ocdd:built";

t.setTimeout(1_200_000);

t.test("compose", async (t) => {
  const lab = await labFor(t, { name: "compose", daemon: { "live-restore": true } });
  const engine = {
    DOCKER_HOST: `unix://${lab.dockerSocket}`,
    DOCKER_CONFIG: join(lab.dir, "docker-client"),
    DOCKER_BUILDKIT: "0",
  };
  const compose = {
    conf: { SERVICES: "compose", IMAGE },
    env: { ...engine, OCDD_SERVICES: "compose" },
    timeout: 1_200_000,
  };
  const running = async (): Promise<string[]> =>
    (await lab.docker("ps", "--format", "{{.Names}}", "--filter", `ancestor=${IMAGE}`))
      .split("\n")
      .filter(Boolean)
      .sort();
  const conf = writeConf(lab);

  await t.test("the image: built on a base that has the programs, without network", async (t) => {
    await importBase(lab);
    await buildImage(["--quiet", "--network", "none", "--build-arg", `BASE=${BASE}`, "--tag", IMAGE], engine);
    const version = await lab.docker("run", "--rm", "--network", "none", IMAGE, "--version");
    t.equal(version, (JSON.parse(textOf("package.json")) as { version: string }).version);
  });

  // with a container on Docker's bridge, which has an address of its own only from the first one on
  await lab.startContainer({ name: "aside", labels: { "ocdd.enable": "false" } });
  // a restarted dockerd leaves its own jumps in another order
  await lab.restartDockerd();
  const before = await lab.snapshotHost();

  await t.test("initialize: director and server are started", async (t) => {
    succeed(await lab.ocdd(["initialize"], compose), "initialize");
    t.equal((await running()).length, 2);
    const ids = (await lab.docker("ps", "-q", "--filter", `ancestor=${IMAGE}`)).split("\n");
    for (const id of ids) {
      const text = await lab.docker(
        "inspect",
        "--format",
        "{{.HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}",
        id,
      );
      t.match(
        text,
        /^false true \[ALL\] \[(NET_ADMIN NET_RAW KILL|NET_BIND_SERVICE|CAP_\S+( CAP_\S+){0,2})\]$/,
      );
    }
  });

  await t.test("a container that starts: served by name and address", async (t) => {
    await lab.startContainer({ name: "wiki" });
    // the server itself is queried: IT's resolver would cache that the name did not exist
    const named = async (): Promise<boolean> =>
      /^192\.168\./.test(await lab.dig(`wiki.${ZONE}`, `@${HOST_ADDRESS}`));
    await until("its name answers", named);
    t.equal(await lab.dig(`wiki.${ZONE}`), aliasOf(await addresses(lab), "wiki"), "through IT's resolver");
    t.equal((await lab.curl(`http://wiki.${ZONE}/`)).trim(), "wiki");
    const page = async (): Promise<string | false> => {
      const text = await lab.curl(`http://${ZONE}/`);
      return text.includes(`wiki.${ZONE}`) && text;
    };
    t.match(await until("the page has it", page), /wiki/);
    const self = ["exec", "wiki", "wget", "-qO-", `http://${HOST_ADDRESS}/self`];
    const told = await until("it is told of itself", () => lab.docker(...self).catch(() => false));
    t.equal(JSON.parse(String(told)).name, "wiki");
    const { services } = JSON.parse((await lab.ocdd(["list", "--json"])).stdout) as {
      services: { container: { name: string } }[];
    };
    t.same(
      services.map(({ container }) => container.name),
      ["wiki"],
      "director and server send no queries for names",
    );
  });

  await t.test(
    "a changed configuration: active after initialize; a replaced file: after SIGHUP",
    async (t) => {
      const ids = (): Promise<string> =>
        lab.docker("ps", "-q", "--no-trunc", "--filter", `ancestor=${IMAGE}`);
      const earlier = (await ids()).split("\n");
      succeed(await lab.ocdd(["initialize"], compose), "initialize");
      const now = (await ids()).split("\n");
      t.same([now.length, now.filter((id) => earlier.includes(id))], [2, []], "both are new");
      const file = writeConf(lab, compose);
      const text = readFileSync(file, "utf8");
      t.teardown(() => writeFileSync(file, text));
      // as an editor does it: a new file of the same name
      writeFileSync(`${file}~`, `${text}HOST_NAME=anchor\n`);
      renameSync(`${file}~`, file);
      const director = await lab.docker("ps", "-q", "--filter", "name=director");
      // a signal ends a program that does not handle it yet (systemd waits for READY=1); once it has the lock it does
      const pid = await lab.docker("inspect", "-f", "{{.State.Pid}}", director);
      const holds = (): boolean =>
        readFileSync(join(storage(lab), "ocdd.lock"), "utf8").trim() === pid.trim();
      await until("the new director runs", holds);
      await lab.docker("kill", "--signal", "HUP", director);
      const anchored = async (): Promise<boolean> =>
        (await lab.dig(`anchor.${ZONE}`, `@${HOST_ADDRESS}`)).trim() === HOST_ADDRESS;
      await until("the host's new name answers", anchored);
    },
  );

  await t.test("Docker's socket created again: found by the running director", async (t) => {
    const director = await lab.docker("ps", "-q", "--filter", "name=director");
    const started = (): Promise<string> => lab.docker("inspect", "-f", "{{.State.StartedAt}}", director);
    const at = await started();
    await lab.restartDockerd();
    await lab.startContainer({ name: "notes" });
    const named = async (): Promise<boolean> =>
      /^192\.168\./.test(await lab.dig(`notes.${ZONE}`, `@${HOST_ADDRESS}`));
    await until("its name answers", named);
    t.equal(await started(), at, "live-restore has kept it");
  });

  await t.test("teardown without Docker: works, and says what is left", async (t) => {
    await lab.stopDockerd();
    t.match(await lab.snapshotHost(), /OCDD/, "rules and aliases stay");
    const status = await lab.ocdd(["status", "--json"], compose);
    t.equal(status.code, 69, status.stderr);
    t.match(JSON.parse(status.stdout), { docker: null, error: String, addresses: { inForce: 2 } });
    const { code, stderr } = await lab.ocdd(["teardown", "--yes"], compose);
    t.equal(code, 1, "not everything is removed");
    t.match(stderr, /the OCDD compose app could not be stopped[\s\S]*run `ocdd teardown` again/);
    // the director, which could not be stopped, may have put rules back by now
    await lab.startDockerd();
    succeed(await lab.ocdd(["teardown", "--yes"], compose), "teardown again");
    t.same(await running(), []);
    t.notMatch(await lab.snapshotHost(), /ocdd/i);
  });

  await t.test("the units' system call filter: director and server work under it", async (t) => {
    const confined = async (
      unit: string,
      capabilities: readonly string[],
      ...args: string[]
    ): Promise<string> => {
      const profile = join(lab.dir, `${unit}.json`);
      writeFileSync(profile, await seccompProfile(textOf(`templates/${unit}`)));
      return lab.docker(
        ...[
          "run",
          "--rm",
          "--network",
          "host",
          "--pid",
          "host",
          "--read-only",
          "--tmpfs",
          "/run",
          "--tmpfs",
          "/tmp",
          "--cap-drop",
          "ALL",
        ],
        ...capabilities.flatMap((name) => ["--cap-add", name]),
        ...["--security-opt", "no-new-privileges", "--security-opt", `seccomp=${profile}`],
        ...[conf, storage(lab), lab.dockerSocket].flatMap((path) => ["--volume", `${path}:${path}`]),
        ...["--env", "OCDD_SERVICES=none", IMAGE, "--config", conf, ...args],
      );
    };
    await lab.startContainer({ name: "blog" });
    t.match(await confined("ocdd.service", ["NET_ADMIN", "NET_RAW"]), /blog\.toolbox\.example\.com/);
    t.equal(await lab.who(aliasOf(await addresses(lab), "blog")), "blog");
    const argv = ["--set", "DNS_PORT=5300", "--set", "WEB_PORT=8000", "serve"];
    const serving = confined("ocdd-serve.service", ["NET_BIND_SERVICE"], ...argv);
    const asked = async (): Promise<boolean> =>
      (await lab.dig(`blog.${ZONE}`, `@${HOST_ADDRESS}`, "-p", "5300")).includes("192.168.122.");
    await until("the server answers", asked);
    t.match(await until("and the page", () => lab.who(`${HOST_ADDRESS}:8000`)), /blog/);
    await lab.docker("stop", ...(await running()));
    await serving;
    t.pass("and it ended cleanly");
  });

  await t.test("teardown: director, server and everything of OCDD's are removed", async (t) => {
    succeed(await lab.ocdd(["initialize"], compose), "initialize");
    await lab.removeContainers("wiki", "notes", "blog");
    succeed(await lab.ocdd(["teardown", "--yes"], compose), "teardown");
    t.same(await running(), []);
    t.equal(await lab.snapshotHost(), before);
    t.ok(readFileSync(join(storage(lab), "leases.json"), "utf8"));
  });
});
