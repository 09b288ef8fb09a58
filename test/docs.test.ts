/** The documentation agrees with the program: README, --help, the keys, the example, the manual pages, the completions. */

import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { generated } from "../packaging/docs.ts";
import { type Flag, quoted, ROOT, readmeTable, readSurface, textOf } from "../packaging/surface.ts";
import { readConfFile } from "../src/core/config/conf-file.ts";
import { decide } from "../src/core/decide.ts";
import { composeLabels, config, container, NOW, observation } from "./core/make.ts";
import { run } from "./lab/process.ts";

const surface = readSurface();
const words = surface.words.map(({ name }) => name);
const keys = surface.keys.map(({ name }) => name as string);
const readme = textOf("README.md");
const sorted = (list: Iterable<string>): string[] => [...new Set(list)].sort();

/** Every option there is, of the command line and of each command. */
const flags = [...surface.flags, ...surface.words.flatMap((word) => word.flags)];

t.test("README's commands are those of the command line", (t) => {
  const named = readmeTable("Commands").flatMap(([first = ""]) =>
    quoted(first).flatMap((command) => /^ocdd ([a-z]+)/.exec(command)?.[1] ?? []),
  );
  t.same(sorted(named), sorted(words));
  t.end();
});

t.test("README: every option, and no other", (t) => {
  const section = readme.split(/^## /m).find((part) => part.startsWith("Commands\n")) ?? "";
  const named = quoted(section).flatMap((text) => text.match(/--[a-z][a-z-]*/g) ?? []);
  t.same(sorted(named), sorted(flags.map(({ long }) => long)));
  t.end();
});

t.test("README's table of options: those that each command has, with their arguments", (t) => {
  const rows = readmeTable("Commands");
  const named = new Map<string, string[]>();
  let commands: string[] = [];
  for (const [first = "", options = "", text] of rows) {
    // the table of commands has two columns
    if (text === undefined) continue;
    if (first !== "") commands = quoted(first).map((command) => command.replace("ocdd ", ""));
    const spelt = quoted(options).filter((option) => option.startsWith("--"));
    for (const name of commands.length > 0 ? commands : [""])
      named.set(name, [...(named.get(name) ?? []), ...spelt]);
  }
  const spell = ({ long, argument, optional }: Flag): string => {
    if (argument !== undefined) return `${long} ${argument.toUpperCase()}`;
    return optional === undefined ? long : `${long} [${optional.toUpperCase()}]`;
  };
  const global = surface.flags.map(({ long }) => long);
  const has = new Map([["", surface.flags.map(spell)]]);
  for (const { name, flags } of surface.words) {
    const own = flags.filter(({ long }) => !global.includes(long));
    if (own.length > 0) has.set(name, own.map(spell));
  }
  t.same(sorted(named.keys()), sorted(has.keys()));
  for (const [name, options] of has) t.same(sorted(named.get(name) ?? []), sorted(options), name);
  t.end();
});

t.test("links in the documents: files and headings that there are", (t) => {
  const anchors = (path: string): string[] =>
    [...textOf(path).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    );
  for (const from of globSync("{*.md,docs/*.md,examples/*/*.md,test/lab/*.md}", { cwd: ROOT })) {
    for (const [, target = ""] of textOf(from).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = "", heading] = target.split("#");
      const path = file === "" ? from : join(dirname(from), file);
      t.ok(existsSync(join(ROOT, path)), `${from}: ${target}`);
      if (heading !== undefined) t.ok(anchors(path).includes(heading), `${from}: ${target}`);
    }
  }
  t.end();
});

t.test("README has every key with its default, and no other", (t) => {
  const rows = readmeTable("Configuration").map(([names = "", fallback = ""]) => ({
    names: quoted(names),
    fallback,
  }));
  t.same(sorted(rows.flatMap(({ names }) => names)), sorted(keys));
  for (const { name, fallback } of surface.keys) {
    const cell = rows.find(({ names }) => names.includes(name))?.fallback ?? "";
    // the page's title is in a row of its own; a row of several keys lists several defaults
    if (fallback !== "" && name !== "WEB_TITLE")
      t.ok(quoted(cell).includes(fallback), `${name}: ${fallback} in "${cell}"`);
  }
  t.end();
});

t.test("README has every exit status", (t) => {
  const line = /^### Exit status\n\n([\s\S]*?)\n\n/m.exec(readme)?.[1] ?? "";
  const statuses = line.split(" · ").map((item) => /^\d+/.exec(item.trim())?.[0] ?? "");
  t.same(statuses, [...surface.statuses.keys()]);
  t.end();
});

t.test("README has every label that is read", async (t) => {
  const { stdout } = await run(["grep", "-rhoE", '"ocdd\\.[a-z.]+"', "src/core"]);
  const read = stdout.split("\n").map((line) => line.replaceAll('"', ""));
  // of labels whose rest is the user's own the sources have the beginning
  const named = surface.labels.flatMap(({ names }) => names).map((name) => name.replace(/[A-Z]+$/, ""));
  // no label; and one that OCDD sets itself, which stands in a sentence below the table
  const others = ["ocdd.lock", "ocdd.try"];
  t.same(
    sorted(read).filter((label) => !others.includes(label)),
    sorted(named),
  );
  t.match(readme, /^One more label, `ocdd\.try`, is not for you to set/m);
});

t.test("the example's keys are keys", (t) => {
  const { assignments, problems } = readConfFile(textOf("ocdd.conf.example"), "example", new Map());
  t.same(problems, []);
  t.ok(assignments.length >= 11);
  for (const { key } of assignments) t.ok(keys.includes(key), key);
  t.end();
});

t.test("examples: the addresses that a README gives are those of its compose file", (t) => {
  const directory = "examples/jenkins-artifactory";
  const compose = textOf(`${directory}/docker-compose.yml`);
  t.notMatch(compose, /^ +ports:/m, "nothing is published");
  const [, list = ""] = /^services:\n((?: .*\n|\n)*)/m.exec(compose) ?? [];
  const containers = list.split(/^ {2}(?=\w+:$)/m).flatMap((text, i) => {
    const service = /^(\w+):$/m.exec(text)?.[1];
    if (service === undefined) return [];
    const labels = [...text.matchAll(/^ {6}(ocdd\.\w+): "(.*)"$/gm)].map(
      ([, label = "", value = ""]) => [label, value] as const,
    );
    return container({
      name: `jenkins-artifactory-${service}-1`,
      at: `172.17.0.${2 + i}`,
      labels: new Map([...composeLabels("jenkins-artifactory", service), ...labels]),
    });
  });
  const { services, warnings } = decide(config(), observation({ containers }), NOW);
  t.same(warnings, []);
  const rows = [
    ...textOf(`${directory}/README.md`).matchAll(/^\| `(\w+)` \| `http:\/\/([\w.]+)(?::(\d+))?\/` /gm),
  ];
  t.same(sorted(rows.map(([, name]) => name ?? "")), sorted(services.map(({ service }) => service ?? "")));
  for (const [, name, fqdn, port] of rows) {
    const one = services.find(({ service }) => service === name);
    t.equal(one?.fqdn, fqdn);
    // a port that is not mapped leads to the same port of the container
    t.equal(one?.forward?.map.some((mapped) => mapped.port === 80) ?? false, port === undefined, fqdn ?? "");
  }
  t.end();
});

t.test("generated files: up to date (else: npm run man)", (t) => {
  for (const [path, text] of generated()) t.equal(textOf(path), text, path);
  t.end();
});

t.test("the manual pages hold every command, option, key, label and status", (t) => {
  const bare = (path: string): string =>
    textOf(path)
      .replace(/\\f[BIR]/g, "")
      .replaceAll("\\-", "-");
  const page = bare("docs/ocdd.8");
  for (const word of words) t.match(page, `.TP\n${word}`);
  for (const { long, choices } of flags) {
    t.match(page, long);
    for (const choice of choices) {
      t.match(
        page.replace(/\s+/g, " "),
        new RegExp(`${long} .{0,100}one of [^.]*${choice}`),
        `${long} ${choice}`,
      );
      t.ok(readme.includes(`\`${choice}\``), `README: ${long} ${choice}`);
    }
  }
  for (const { names } of surface.labels)
    t.match(page.replaceAll("\n.TQ\n", " ").replace(/\s+/g, " "), names.join(", "));
  for (const status of surface.statuses.keys()) t.match(page, `.TP\n${status}\n`);
  const conf = bare("docs/ocdd.conf.5");
  for (const key of keys) t.match(conf, `.TP\n${key}\n`);
  t.end();
});

t.test("the manual pages are clean roff", async (t) => {
  for (const page of ["docs/ocdd.8", "docs/ocdd.conf.5"]) {
    const groff = await run(["groff", "-ww", "-man", "-Tutf8", "-z", page], { check: false });
    t.same([groff.code, groff.stderr], [0, ""], `groff ${page}`);
    const mandoc = await run(["mandoc", "-Tlint", "-Wall", page], { check: false });
    t.same([mandoc.code, mandoc.stdout], [0, ""], `mandoc ${page}`);
    const text = textOf(page);
    t.notMatch(text, /\n\.T[PQ]\n[^\n]*,\n(?!\.TQ\n)/, "a tag goes on in a line of its own, not in the text");
    t.notMatch(text, /\]\(/, "no link of Markdown's");
  }
});

t.test("the completions hold every command, option and key", (t) => {
  for (const [path, text] of generated()) {
    if (!path.includes("completions/")) continue;
    // fish writes options without their dashes
    const spell = (long: string): string => (path.endsWith(".fish") ? ` -l ${long.slice(2)}` : long);
    for (const name of [...words, ...keys]) t.match(text, new RegExp(`\\b${name}\\b`), `${path}: ${name}`);
    for (const { long } of flags) t.ok(text.includes(spell(long)), `${path}: ${long}`);
  }
  t.end();
});
