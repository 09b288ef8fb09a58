/** examples/sleep on a real engine, as its README has it. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { initializedLab } from "./director.ts";
import type { Lab } from "./handle.ts";
import { addProgram } from "./image.ts";
import { run } from "./process.ts";
import { addressOf, holds, reaches, stateOf } from "./sleeper.ts";

t.setTimeout(1_200_000);

const EXAMPLE = fileURLToPath(new URL("../../examples/sleep/", import.meta.url));
const BASE = "lab/node:24";

/** In place of Node's image, which is in a registry. */
async function importNode(lab: Lab): Promise<void> {
  const root = join(lab.dir, "node");
  for (const part of ["bin", "etc", "tmp"]) mkdirSync(join(root, part), { recursive: true });
  await addProgram(root, "node");
  const archive = join(lab.dir, "node.tar");
  await run(["tar", "-C", root, "-cf", archive, "."]);
  await lab.docker("import", "-c", "ENV PATH=/bin", archive, BASE);
  rmSync(root, { recursive: true });
  rmSync(archive);
}

t.test("the example: woken by a visit, ends by itself, its database after it", async (t) => {
  const lab = await initializedLab(t, { name: "sleep-example", dns: false });
  await importNode(lab);
  const watch = lab.startOcdd(["watch"]);
  t.teardown(() => watch.stop());
  const env = { DOCKER_HOST: `unix://${lab.dockerSocket}`, COMPOSE_PROJECT_NAME: "sleep", IDLE: "5s" };
  const compose = (...args: string[]) => run(["docker-compose", ...args], { env, cwd: EXAMPLE });
  await compose("build", "--build-arg", `BASE=${BASE}`);
  await compose("up", "-d", "--no-build");
  const names = (await lab.docker("ps", "-a", "--format", "{{.Names}}")).split("\n");
  const [mock, db] = ["mock", "db"].map((one) => names.find((name) => name.includes(one)) ?? "");
  t.ok(mock && db, names.join(" "));
  const address = await addressOf(lab, mock ?? "");
  await t.test("it ends by itself without a visit", async () => {
    await reaches(lab, mock ?? "", "exited");
    await holds(lab, address);
  });
  await t.test("try.sh: stopped, visited, running", async (t) => {
    await lab.docker("stop", db ?? "");
    const { stdout } = await lab.run(
      "client",
      ["sh", join(EXAMPLE, "try.sh"), `http://${address}:9000`, mock ?? ""],
      {
        env,
      },
    );
    const [before, , answer, after, , status] = stdout.split("\n");
    t.equal(before, `${mock} is exited`);
    t.match(JSON.parse(answer ?? ""), { "connection string": "db 1", requested: 1, "IP address": /^172\./ });
    t.equal(after, `${mock} is running`);
    t.match(JSON.parse(status ?? ""), { status: "ok", requested: 1 });
    t.equal(await stateOf(lab, db ?? ""), "running", "it was started as well");
  });
});
