/** The first configuration of a host: where there is none, and what is asked for. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { askForRange, firstConf, unconfigured } from "../../src/cli/first-conf.ts";
import { ip } from "../core/make.ts";

t.test("unconfigured: the file that is to be written; none where a range or a zone is set anywhere", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-first-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [here, etc] = [join(directory, "ocdd.conf"), join(directory, "etc.conf")];
  t.same(unconfigured([here, etc], ["STORAGE_DIR=/x"]), { file: etc, text: undefined });
  t.equal(unconfigured([here, etc], ["IP_SUBNET"]), undefined, "by --set or a variable");
  writeFileSync(here, "#IP_RANGE=\n", { mode: 0o644 });
  t.same(unconfigured([here, etc], []), { file: here, text: "#IP_RANGE=\n" });
  writeFileSync(here, "IP_RANGE=10.0.0.0/24\n");
  t.equal(unconfigured([here, etc], []), undefined);
  t.end();
});

t.test("firstConf without a terminal: what to do is said, and nothing is written", async (t) => {
  const said: string[] = [];
  const written = await firstConf(
    { file: "/nowhere/ocdd.conf", text: undefined },
    { environment: new Map(), flags: [] },
    (line) => said.push(line),
    undefined,
  );
  t.notOk(written);
  t.match(said, ["ocdd: /nowhere/ocdd.conf: there is no such file", /^1\. ask IT/]);
});

t.test("askForRange: Enter takes the proposal; what cannot be read is asked for again", async (t) => {
  const proposed = { first: ip("192.168.122.11"), last: ip("192.168.122.30") };
  const questions: string[] = [];
  const asked = async (...answers: string[]) => {
    const said: string[] = [];
    const ask = async (question: string): Promise<string> => {
      questions.push(question);
      return answers.shift() ?? "";
    };
    return { pool: await askForRange({ say: (line) => said.push(line), ask }, proposed), said };
  };
  t.same(await asked(""), { pool: [proposed], said: [] });
  const granted = { first: ip("192.168.122.40"), last: ip("192.168.122.47") };
  const second = await asked("192.168.122.40-39", "192.168.122.40/29");
  t.same(second.pool, [granted]);
  t.equal(second.said.length, 1);
  t.match(second.said, [/^The range .*192\.168\.122\.40-39/]);
  t.equal((await asked("x", "y", "z")).pool, undefined);
  t.match(questions[0], /\[192\.168\.122\.11-192\.168\.122\.30\] \(found free, not granted\): $/);
});
