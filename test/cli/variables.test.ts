/** What a configuration file may expand beside its own keys. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execaSync } from "execa";
import t from "tap";
import { variablesOf } from "../../src/cli/variables.ts";
import { readConfFile } from "../../src/core/config/conf-file.ts";

const place = mkdtempSync(join(tmpdir(), "ocdd-variables-"));
const before = process.cwd();
t.teardown(() => {
  process.chdir(before);
  rmSync(place, { recursive: true });
});

/** The values of all variables that bash has in this environment, by their names. */
function bash(environment: Record<string, string>): [string, string][] {
  const print = `compgen -v | while read -r n; do printf '%s\\037%s\\036' "$n" "\${!n}"; done`;
  const { stdout } = execaSync("/bin/bash", ["--norc", "--noprofile", "-c", print], {
    env: environment,
    extendEnv: false,
  });
  return stdout
    .split("\u001e")
    .slice(0, -1)
    .map((one) => one.split("\u001f") as [string, string]);
}

t.test("every variable that bash has: the same value, or an error", async (t) => {
  mkdirSync(join(place, "real"));
  symlinkSync("real", join(place, "link"));
  process.chdir(join(place, "link"));
  for (const [environment, also] of [
    [{}, []],
    [{ PWD: join(place, "link"), HOME: "/h", OWN: "o" }, ["HOME", "OWN"]],
    [
      { PWD: "/", UID: "7", HOSTNAME: "h", OSTYPE: "o", SHELL: "/s", PATH: "/p", TERM: "t" },
      ["OSTYPE", "PATH", "SHELL", "TERM"],
    ],
    [
      { PWD: "relative", EUID: "", RANDOM: "5", SHLVL: "3", IFS: ",", PPID: "1", _: "x", BASH_VERSION: "1" },
      [],
    ],
  ] as [Record<string, string>, string[]][]) {
    const variables = variablesOf(new Map(Object.entries(environment)));
    const given = bash(environment).filter(([name, value]) => {
      const { assignments, problems } = readConfFile(`A=$${name}`, "F", variables);
      if (problems.length > 0) return false;
      t.equal(assignments[0]?.value, value, name);
      return true;
    });
    t.same(given.map(([name]) => name).sort(), ["EUID", "HOSTNAME", "PWD", "UID", ...also].sort());
  }
});
