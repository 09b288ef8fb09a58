/** What the command line makes of words that are no command, and of those that other programs have. */
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
  t.match((await ocdd("show", "--help")).out, /--json[\s\S]*--yes/);
});

t.test("a word that is no command: status 64, and the command that was meant", async (t) => {
  t.match(await ocdd("lst"), {
    status: 64,
    err: /^ocdd: unknown command 'lst', did you mean list\?\nremedy: `ocdd --help` lists/,
  });
  t.same(await ocdd("help", "lst"), await ocdd("lst"));
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
