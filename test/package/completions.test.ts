/** The completions in real shells: typed on a terminal, with the Tab key. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { ROOT, readSurface } from "../../packaging/surface.ts";
import { LISTED_BY_COMMANDS } from "../../src/cli/help.ts";
import { run } from "../lab/process.ts";

const surface = readSurface();
const COMPLETIONS = `${ROOT}packaging/completions`;
const directory = mkdtempSync(join(tmpdir(), "ocdd-completions-"));
t.teardown(() => rmSync(directory, { recursive: true }));

/** Replaces ocdd: records its arguments, and has a zone with two names. */
const bin = join(directory, "bin");
const said = join(directory, "said");
await run(["mkdir", bin]);
writeFileSync(
  join(bin, "ocdd"),
  `#!/bin/sh
if [ "$*" = zone ]; then
  cat ${join(directory, "zone")}
else printf '%s\\n' "$@" >${said}; fi
`,
  { mode: 0o755 },
);
writeFileSync(join(directory, "example.conf"), "");
writeFileSync(
  join(directory, "zone"),
  ["jenkins", "wiki"].reduce(
    (text, name) => `${text}${name}.toolbox.example.com.\t60\tIN\tA\t192.168.122.11\n`,
    "$ORIGIN toolbox.example.com.\ntoolbox.example.com.\t60\tIN\tA\t192.168.122.200\n",
  ),
);

/** How each shell is made to load its file. */
const SHELLS = {
  bash: { argv: "bash --norc --noprofile -i", load: `source ${COMPLETIONS}/ocdd.bash` },
  zsh: {
    argv: "zsh -f -i",
    load: `unsetopt beep; fpath=(${COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D; compdef _ocdd ocdd`,
  },
  fish: { argv: "fish --no-config --private -i", load: `source ${COMPLETIONS}/ocdd.fish` },
} as const;

/** Types a line at the shell's prompt; returns the arguments that ocdd was given. */
async function typed(shell: keyof typeof SHELLS, line: string): Promise<string[]> {
  rmSync(said, { force: true });
  const { argv, load } = SHELLS[shell];
  await run(["script", "--quiet", "--return", "--command", argv, "/dev/null"], {
    input: `${load}\n${line}\nexit\n`,
    cwd: directory,
    env: { PATH: `${bin}:${process.env.PATH}`, TERM: "dumb", HOME: directory },
    timeout: 600_000,
    check: false,
  });
  return existsSync(said) ? readFileSync(said, "utf8").trimEnd().split("\n") : [];
}

const LINES: readonly (readonly [string, readonly string[]])[] = [
  ["ocdd pl\t", ["plan"]],
  ["ocdd plan --det\t", ["plan", "--detailed-exitcode"]],
  ["ocdd --no\t li\t", ["--no-color", "list"]],
  ["ocdd --config exa\t li\t", ["--config", "example.conf", "list"]],
  ["ocdd list --set TOOL\tx", ["list", "--set", "TOOLBOX_SUBDOMAIN_NAME=x"]],
  ["ocdd doctor je\t", ["doctor", "jenkins"]],
  ["ocdd wake jenkins je\t", ["wake", "jenkins", "jenkins"]],
  ["ocdd serve --log-format jo\t", ["serve", "--log-format", "journal"]],
];

for (const shell of ["bash", "zsh", "fish"] as const) {
  t.test(shell, async (t) => {
    for (const [line, expected] of LINES) t.same(await typed(shell, line), expected, JSON.stringify(line));
  });
}

/** Names as they can be in hand-written records, or in a configuration of another user. */
const HOSTILE = [
  "$(touch$IFS./PWNED)",
  "`touch$IFS./PWNED`",
  "(touch PWNED)",
  "a;touch\tPWNED",
  "'\"\\",
  "*",
  "--config",
  "x y",
];

for (const shell of ["bash", "zsh", "fish"] as const) {
  t.test(`${shell}, with names that are commands, runs none and offers only what is a name`, async (t) => {
    rmSync(join(directory, "PWNED"), { force: true });
    const clean = readFileSync(join(directory, "zone"), "utf8");
    const lines = HOSTILE.map((name) => `${name}.toolbox.example.com.\t60\tIN\tA\t192.168.122.12\n`);
    writeFileSync(join(directory, "zone"), `${lines.join("")}${clean}${lines.join("")}`);
    t.teardown(() => writeFileSync(join(directory, "zone"), clean));
    t.same(await typed(shell, "ocdd doctor je\t"), ["doctor", "jenkins"]);
    for (const line of ["ocdd doctor \t\t", "ocdd doctor $\t", "ocdd doctor `\t", "ocdd doctor (\t"]) {
      await typed(shell, `${line}\u0015true`);
    }
    t.notOk(existsSync(join(directory, "PWNED")));
  });
}

t.test("bash: names match as text, not as patterns", async (t) => {
  writeFileSync(join(directory, "hostile"), `${HOSTILE.join("\n")}\n`);
  const script = `source ${COMPLETIONS}/ocdd.bash; _ocdd_names() { cat hostile; }
COMP_WORDS=(ocdd doctor "$1"); COMP_CWORD=2; _ocdd; printf '%s\n' "\${COMPREPLY[@]}"`;
  const offered = async (typedSoFar: string): Promise<string> =>
    (await run(["bash", "-c", script, "bash", typedSoFar], { cwd: directory })).stdout;
  t.equal(await offered(""), HOSTILE.join("\n"));
  t.equal(await offered("*"), "*", "the typed text is no pattern");
  t.notOk(existsSync(join(directory, "PWNED")));
});

t.test("bash: all names are offered", async (t) => {
  const offer = async (...line: readonly string[]): Promise<string[]> => {
    const script = `source ${COMPLETIONS}/ocdd.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ocdd; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return (await run(["bash", "-c", script, "bash", ...line])).stdout.split("\n").sort();
  };
  t.same(await offer("ocdd", ""), surface.words.map(({ name }) => name).sort());
  t.same(await offer("ocdd", "--set", ""), surface.keys.map(({ name }) => `${name}=`).sort());
  const everywhere = surface.flags.filter(({ long }) => !LISTED_BY_COMMANDS.has(long));
  for (const { name, flags } of surface.words) {
    const all = [...flags, ...everywhere].flatMap(({ short, long }) => [long, ...(short ? [short] : [])]);
    t.same(await offer("ocdd", name, "-"), [...new Set(all)].sort(), name);
  }
});

t.test("fish: all names are offered", async (t) => {
  const offer = async (line: string): Promise<string[]> => {
    const argv = ["fish", "--no-config", "-c", `source ${COMPLETIONS}/ocdd.fish; complete -C '${line}'`];
    const { stdout } = await run(argv, { env: { HOME: directory } });
    return stdout
      .split("\n")
      .map((row) => row.split("\t")[0] ?? "")
      .sort();
  };
  t.same(await offer("ocdd "), surface.words.map(({ name }) => name).sort());
  for (const { name, flags } of surface.words) {
    const all = [...flags, ...surface.flags].map(({ long }) => long);
    t.same((await offer(`ocdd ${name} --`)).sort(), [...new Set(all)].sort(), name);
  }
});
