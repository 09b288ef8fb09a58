/** The rules of the rooms: what imports what, and how large a file may be. */

import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";

const files = globSync("src/**/*.ts").sort();
const texts = new Map(files.map((file) => [file, readFileSync(file, "utf8")]));

/** Every module a file names, static and lazy; relative ones as paths from the root. */
function importsOf(file: string): string[] {
  const text = texts.get(file) ?? "";
  const names = [
    ...text.matchAll(
      /(?:^|\n)(?:import|export)\s[^"]*?from "([^"]+)"|import\("([^"]+)"\)|(?:^|\n)import "([^"]+)"/g,
    ),
  ];
  return names.map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? "";
    return name.startsWith(".") ? join(dirname(file), name) : name;
  });
}

const room = (file: string): string => /^src\/([^/]+)\//.exec(file)?.[1] ?? "loose";
const isPackage = (name: string): boolean => !name.startsWith("src/") && !name.startsWith("node:");

/** What each room may import beside itself: other rooms, Node's modules, packages. The arrows of ARCHITECTURE.md. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  cli: ["director", "lifecycle", "serve", "host", "core", "dns", "daemon", "platform", "node", "package"],
  director: ["lifecycle", "host", "core", "daemon"],
  lifecycle: ["host", "core", "daemon", "platform", "node"],
  daemon: ["core", "platform", "node", "package"],
  host: ["core", "platform", "node", "package"],
  serve: ["core", "dns", "daemon", "platform", "node"],
  core: ["dns"],
  dns: ["package"],
  platform: ["node"],
};

t.test("each room imports only the rooms that its arrows name", (t) => {
  t.ok(files.length > 40, "the files are found");
  for (const file of files) {
    const from = room(file);
    const allowed = ARROWS[from];
    if (allowed === undefined) {
      t.fail(`${file} is in no room`);
      continue;
    }
    for (const name of importsOf(file)) {
      const to = name.startsWith("src/") ? room(name) : name.startsWith("node:") ? "node" : "package";
      // TSIG's HMAC is arithmetic: no file, no socket, no clock
      if (from === "dns" && name === "node:crypto") continue;
      // timers and their like: no file, no socket
      if (from === "director" && name === "node:timers/promises") continue;
      if (to !== from && !allowed.includes(to)) t.fail(`${file} imports ${name}`);
    }
  }
  t.end();
});

t.test("ARCHITECTURE.md: its table of imports is the one checked here", (t) => {
  const text = readFileSync("ARCHITECTURE.md", "utf8");
  const table = /\| room \| may import \|\n\|[-|]+\|\n((?:\|.*\|\n)+)/.exec(text)?.[1] ?? "";
  const rows = table.split("\n").filter((row) => row !== "");
  const told = rows.map((row) => {
    const [, name = "", list = ""] = /^\| `([a-z]+)` \| (.*) \|$/.exec(row) ?? [];
    return [name, list.split(", ")];
  });
  t.same(Object.fromEntries(told), ARROWS);
  t.end();
});

t.test("ARCHITECTURE.md: the code it quotes is that of reconcile.ts", (t) => {
  const quoted = /```ts\n([\s\S]*?)```/.exec(readFileSync("ARCHITECTURE.md", "utf8"))?.[1];
  t.ok(quoted !== undefined && (texts.get("src/director/reconcile.ts") ?? "").endsWith(quoted));
  t.end();
});

t.test("ARCHITECTURE.md: every file of the sources that it names exists", (t) => {
  const text = readFileSync("ARCHITECTURE.md", "utf8");
  const named = [...text.matchAll(/`((?:[a-z-]+\/)*[a-z-]+\.ts)`/g)].map((match) => match[1] ?? "");
  t.ok(named.length > 40, "names are found");
  const all = [...files, ...globSync("test/**/*.ts")];
  for (const name of new Set(named))
    t.ok(
      all.some((file) => file === name || file.endsWith(`/${name}`)),
      name,
    );
  t.end();
});

t.test("a third-party package has one importer", (t) => {
  const importers = new Map<string, string[]>();
  for (const file of files) {
    for (const name of importsOf(file).filter(isPackage))
      importers.set(name, [...(importers.get(name) ?? []), file]);
  }
  t.ok(importers.has("dockerode"), "packages are seen");
  for (const [name, list] of importers) t.equal(new Set(list).size, 1, `${name}: ${list.join(", ")}`);
  t.end();
});

t.test("imports: no cycle between files or rooms", (t) => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) t.fail([...path.slice(path.indexOf(file)), file].join(" -> "));
    else if (!done.has(file)) {
      for (const name of importsOf(file).filter((name) => texts.has(name))) visit(name, [...path, file]);
      done.add(file);
    }
  };
  for (const file of files) visit(file, []);
  t.equal(done.size, files.length);
  t.end();
});

t.test("files: small, or with a reason; no clock in the core; no shell", (t) => {
  for (const [file, text] of texts) {
    const lines = text.split("\n").length;
    if (lines > 250)
      t.match(text.slice(0, 600), /Longer than most/, `${file} has ${lines} lines and says why`);
    t.notMatch(text, /shell:\s*true|child_process"/, `${file} starts no shell`);
    if (room(file) === "core")
      t.notMatch(text, /Date\.now|Math\.random|process\.|performance\./, `${file} is pure`);
  }
  t.end();
});

t.test(
  "programs that are started: none that a Docker host need not have, as dig, jq, curl, git (O-26)",
  (t) => {
    const started = [...texts.values()].flatMap((text) =>
      [...text.matchAll(/\b(?:run|execa?|spawn)\(\[?\s*"([a-z][a-z-]*)"/g)].map(([, name = ""]) => name),
    );
    t.ok(started.includes("ip"), "programs are found");
    for (const name of ["dig", "host", "jq", "curl", "wget", "git", "sed", "awk", "sh", "bash"])
      t.notOk(started.includes(name), name);
    t.end();
  },
);

t.test(
  "which service a container belongs to: its labels are read in one place, which does not believe them",
  (t) => {
    const readers = [...texts].filter(([, text]) =>
      /com\.docker\.(compose\.(project|service|container-number|oneoff)|swarm|stack)\b/.test(text),
    );
    t.strictSame(
      readers.map(([file]) => file),
      ["src/core/services/identity.ts"],
    );
    t.end();
  },
);

/** Calls that wait, but a socket's own, which count at most 24.8 days; the time is the second argument of the first two. */
const WAITS = /(?<![\w.])(?:(setTimeout|setInterval)|AbortSignal\.timeout|sleep|delay)\(/g;

/** The arguments of a call, from behind its opening parenthesis on. */
function argumentsAt(text: string, from: number): string[] {
  const list = [""];
  for (let at = from, depth = 0; depth >= 0 && at < text.length; at++) {
    const c = text[at] ?? "";
    depth += /[([{]/.test(c) ? 1 : /[)\]}]/.test(c) ? -1 : 0;
    if (depth === 0 && c === ",") list.push("");
    else if (depth >= 0) list[list.length - 1] += c;
  }
  return list.map((one) => one.trim());
}

t.test(
  "timers: a time that is no constant is counted by platform/timer.ts (Node's end at once after 24.8 days)",
  (t) => {
    const constant =
      /^(?:\w+ \? )?(?:[A-Z][A-Z_]*(?:\.ms)?|[\d_]+)(?: : [A-Z][A-Z_]*)?$|^Math\.min\([^()]*\b[A-Z][A-Z_]+\)(?: \/ \d+)?$/;
    const others: string[] = [];
    let found = 0;
    for (const [file, text] of texts) {
      if (file === "src/platform/timer.ts" || file === "src/core/page/waiting.ts") continue;
      for (const match of text.matchAll(WAITS)) {
        const time = argumentsAt(text, match.index + match[0].length)[match[1] === undefined ? 0 : 1] ?? "";
        found += 1;
        if (!constant.test(time)) others.push(`${file}: ${match[0]} ${time}`);
      }
    }
    t.ok(found > 30, `${found} timers are found`);
    // its callers give a constant
    t.strictSame(others, ["src/director/confirm.ts: sleep( options.confirmationMs / CONFIRMATIONS"]);
    t.end();
  },
);

t.test("times are printed by core/moment.ts, which throws for none", (t) => {
  const printers = [...texts].filter(([, text]) => /toISOString|toUTCString|Intl\.DateTimeFormat/.test(text));
  t.strictSame(
    printers.map(([file]) => file),
    // of 32 bits; of this process's own clock
    [
      "src/core/moment.ts",
      "src/daemon/log.ts",
      "src/dns/text/rdata-format.ts",
      "src/lifecycle/event-texts.ts",
    ],
  );
  t.end();
});

t.test("labs: a name is used by one test file only, since several run at the same time", (t) => {
  const users = new Map<string, Set<string>>();
  for (const file of globSync("test/**/*.test.ts")) {
    const raised = readFileSync(file, "utf8").matchAll(
      /\b(?:raiseLab|initializedLab|labFor)\((?:\w+, )?\{\s*name(?:: (["`][^"`]+["`]))?|\bconst name = (`[^`]+`)/g,
    );
    for (const [, name = "", variable = name] of raised)
      if (variable !== "") users.set(variable, (users.get(variable) ?? new Set()).add(file));
  }
  t.ok(users.size > 30, `${users.size} labs are found`);
  for (const [name, by] of users) t.equal(by.size, 1, `${name}: ${[...by].join(", ")}`);
  t.end();
});
