/** What the command line makes of words that are no command, and of those that other programs have. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

async function ocdd(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, ...args], { reject: false });
  return { status: exitCode ?? -1, out: stdout, err: stderr };
}

t.test("help and version, as words and options", async (t) => {
  const help = await ocdd("--help");
  t.match(help, { status: 0, out: /^Usage: ocdd/ });
  t.same(await ocdd("help"), help);
  t.match(await ocdd("help", "list"), { status: 0, out: /^Usage: ocdd list/ });
  const version = await ocdd("--version");
  t.match(version, { status: 0, out: /^\d+\.\d+\.\d+/ });
  for (const word of ["version", "-V"]) t.same(await ocdd(word), version, word);
});

t.test("the help of a command has the options of the program too", async (t) => {
  const { out } = await ocdd("list", "--help");
  t.match(out, /--config <file>[\s\S]*--debug/);
  t.equal(out.match(/--json/g)?.length, 1, "one that both have is listed once");
  for (const [word, json, yes] of [
    ["show", true, false],
    ["apply", true, true],
    ["serve", false, false],
    ["metadata", false, false],
  ] as const) {
    const { out } = await ocdd(word, "--help");
    t.same([out.includes("--json"), out.includes("--yes")], [json, yes], word);
  }
  t.match(
    await ocdd("metadata", "--write", "--json", "--yes"),
    { status: 0 },
    "they are accepted all the same",
  );
});

t.test(
  "metadata --write: takes no container, and names what helps where the directory is missing",
  async (t) => {
    const directory = t.testdir({});
    const file = `${directory}/web.json`;
    for (const line of [
      ["metadata", "web", "--write", file],
      ["metadata", "--write", file, "web"],
      ["metadata", "web", "--write"],
    ]) {
      t.match(await ocdd(...line), { status: 64, out: "", err: /takes no container/ }, line.join(" "));
      t.notOk(existsSync(file), "nothing is written");
    }
    const absent = await ocdd("metadata", "--write", `${directory}/absent/x.json`);
    t.match(absent, {
      status: 1,
      err: /cannot write .*\nremedy: make that directory first, or name another file/,
    });
  },
);

t.test("the help says what --yes accepts, and when a run is partial, as the README does", async (t) => {
  const said = async (...args: string[]) => (await ocdd(...args)).out.replace(/\s+/g, " ");
  for (const word of ["apply", "plan", "initialize"])
    t.match(
      await said(word, "--help"),
      /accept that a changed range or host address ends active leases/,
      word,
    );
  t.notMatch(await said("teardown", "--help"), /accept/);
  t.match(await said("help"), /3 partial \(the range is full or a label of a container cannot be read\)/);
});

t.test("the help of try: the command behind --, and an example", async (t) => {
  t.match(await ocdd("try", "--help"), {
    status: 0,
    out: /^Usage: ocdd try \[options\] <name> \[-- command\.\.\.\]\n[\s\S]*\nExample:\n {2}ocdd try .* -- /,
  });
});

t.test("audit: what is no condition, and no time, is refused with what one looks like", async (t) => {
  for (const text of ["a b", "meta.openssl=>3", "x\u001b<"])
    t.match(
      await ocdd("audit", "--where", text),
      {
        status: 64,
        err: /^ocdd: option '--where' needs a condition, as 'meta\.openssl<3', .*, not '\P{C}*'\nremedy: /u,
      },
      JSON.stringify(text),
    );
  t.match(await ocdd("audit", "--older-than", "long"), {
    status: 64,
    err: /needs a time, as 7d, .*, not 'long'/,
  });
});

t.test("a word that is no command: status 64, and the command that was meant", async (t) => {
  t.match(await ocdd("lst"), {
    status: 64,
    err: /^ocdd: unknown command 'lst', did you mean list\?\nremedy: `ocdd --help` lists/,
  });
  t.same(await ocdd("help", "lst"), await ocdd("lst"));
  t.match(await ocdd("shwo", "web", "--json"), {
    status: 64,
    err: /^ocdd: unknown command 'shwo', did you mean show\?\nremedy: `ocdd --help` lists/,
  });
  t.match(await ocdd("version", "web"), { status: 64, err: /^ocdd: version takes no argument$/m });
  t.match(await ocdd("something"), {
    status: 64,
    err: /^ocdd: unknown command 'something'\nremedy: `ocdd --help` lists/,
  });
  for (const args of [
    ["list", "--frob"],
    ["apply", "one", "two"],
    ["watch", "--log-format", "x"],
  ])
    t.match(
      await ocdd(...args),
      { status: 64, err: new RegExp(`^ocdd: .*\nremedy: \`ocdd ${args[0]} --help\` lists`) },
      args.join(" "),
    );
  t.match(await ocdd("--frob"), { status: 64, err: /unknown option '--frob'\nremedy: `ocdd --help` lists/ });
});
