/** What OCDD writes as root: never in the place of anything but a file, nor where a link of another user leads. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import t, { type Test } from "tap";
import { HostError } from "../../../src/core/errors.ts";
import { newOf } from "../../../src/core/paths.ts";
import { recordCleanup, removeCleanup } from "../../../src/host/disk/cleanup.ts";
import { destinationOf } from "../../../src/host/disk/destination.ts";
import { eventLog, readLastStart } from "../../../src/host/disk/event-log.ts";
import {
  makeDirectory,
  makeDurable,
  readOctets,
  readText,
  removeFile,
  writeNew,
  writeWhole,
} from "../../../src/host/disk/file.ts";
import { readLeases, writeLeases } from "../../../src/host/disk/leases.ts";
import { lockHolder, takeLock } from "../../../src/host/disk/lock.ts";
import { readResults } from "../../../src/host/disk/method-results.ts";
import { noteRun } from "../../../src/host/disk/page.ts";
import { writeSelves } from "../../../src/host/disk/selves.ts";
import { readTryRecords } from "../../../src/host/disk/try-records.ts";
import { refusal } from "../refusal.ts";

function place(t: Test): (name: string) => string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-destination-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return (name) => join(directory, name);
}

const TABLE = { leases: [], conflicts: [], hairpins: [], nameHolds: [], holders: [] };
const CLEANUP = { flushed: [], announced: [] };
const hold = async (path: string): Promise<void> => (await takeLock(path))();
const log = async (path: string): Promise<void> => {
  const events = eventLog(path);
  events.add({ n: 1 });
  await events.written();
};

/** Milliseconds since the epoch, when all that is here is old. */
const LATER = 4e12;

/** Everything that changes the file at a path, by what it does; `says` is false where a failure is not reported. */
const WRITERS: readonly (readonly [string, (path: string) => Promise<unknown>, boolean?])[] = [
  ["writes it whole", (path) => writeWhole(path, "x")],
  ["writes it over a text", (path) => writeWhole(path, "x", { over: [""] })],
  ["writes it where there is none", (path) => writeNew(path, "x")],
  ["writes the leases", (path) => writeLeases(path, TABLE)],
  ["takes it as lock", hold],
  ["notes the time of a run", noteRun],
  ["adds an event", log, false],
  ["records clean-up", (path) => recordCleanup(path, { ...CLEANUP, flushed: ["10.0.0.1" as never] }), false],
];

const kind = (path: string): number => lstatSync(path).mode & 0o170000;

t.test("a pipe, socket or directory in the place of a file: stays, and each writer says so", async (t) => {
  const at = place(t);
  await execa("mkfifo", [at("pipe")]);
  mkdirSync(at("directory"));
  const server = createServer().listen(at("socket"));
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  for (const name of ["pipe", "socket", "directory"]) {
    for (const [deed, write, says = true] of WRITERS) {
      const before = kind(at(name));
      const error = await write(at(name)).then(
        () => undefined,
        (e: unknown) => e,
      );
      t.equal(kind(at(name)), before, `${name}: ${deed}`);
      if (says) t.ok(error instanceof HostError && error.fault === "storage", `${name}: ${deed}: is refused`);
    }
    const refused = { fault: "storage", message: `cannot write ${at(name)}: it is a ${name} and not a file` };
    t.match(await refusal(writeWhole(at(name), "x")), { ...refused, remedy: /move it away/ });
    symlinkSync(name, at("link"));
    t.match(await refusal(writeWhole(at("link"), "x")), { message: /link: it is a .* and not a file/ });
    rmSync(at("link"));
  }
  t.strictSame(readdirSync(at("")).sort(), ["directory", "pipe", "socket"], "nothing is left beside them");
  await t.rejects(destinationOf("/dev/null", 0o644), { message: "it is a device and not a file" });
});

t.test("a pipe in the place of a file: no reader waits for it", async (t) => {
  const at = place(t);
  await execa("mkfifo", [at("pipe.json")]);
  const path = at("pipe.json");
  const refused = { fault: "storage", message: `cannot read ${path}: it is a pipe and not a file` };
  t.match(await refusal(readText(path)), refused);
  t.match(await refusal(readOctets(path)), refused);
  t.match(await refusal(readLeases(path)), refused);
  t.match(await refusal(makeDurable(path)), { message: /cannot sync .*: it is a pipe/ });
  t.match(await refusal(readTryRecords(at(""), LATER)), refused);
  t.same(await readResults(path), new Map());
  t.equal(await readLastStart(path, "web"), null);
  t.equal(await lockHolder(path), null);
});

/** Names below a directory with what the files hold. */
const snapshot = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return `${path} ${entry.isFile() ? readFileSync(path, "utf8") : ""}`;
    })
    .sort();

/** More that changes something below a directory. */
const BELOW: typeof WRITERS = [
  ...WRITERS,
  ["makes it as directory", makeDirectory],
  ["makes directories above it", (path) => makeDirectory(join(path, "a/b"))],
  ["removes it", removeFile],
  ["has cleaned up", (path) => removeCleanup(path, { ...CLEANUP, flushed: ["10.0.0.1" as never] }), false],
  ["tells containers of themselves", (path) => writeSelves(join(path, "../private/serve/self.json"), "{}")],
  ["tells them nothing more", (path) => writeSelves(path, "")],
  ["reads records of try, and removes old ones", (path) => readTryRecords(join(path, ".."), LATER)],
];

t.test(
  "a directory on the way that is a link: followed unless another user could have made it",
  async (t) => {
    for (const [mode, isFollowed] of [
      [0o755, true],
      [0o1777, true],
      [0o777, false],
      [0o775, false],
    ] as const) {
      for (const [deed, act, says = true] of BELOW) {
        for (const there of [true, false]) {
          const at = place(t);
          const title = `${mode.toString(8)}, ${there ? "over a file" : "anew"}: ${deed}`;
          mkdirSync(at("real/out"), { recursive: true });
          mkdirSync(at("user"));
          symlinkSync("../real", at("user/link"));
          chmodSync(at("user"), mode);
          if (there) {
            writeFileSync(at("real/out/f.json"), "precious");
            utimesSync(at("real/out/f.json"), 1, 1);
          }
          const before = snapshot(at("real/out"));
          const error = await act(at("user/link/out/f.json")).then(
            () => undefined,
            (e: unknown) => e,
          );
          const isRefused = error instanceof HostError && error.fault === "refused";
          if (isFollowed) t.notOk(isRefused, title);
          else {
            t.strictSame(snapshot(at("real/out")), before, title);
            // what is not there is not removed either
            if (says && (there || !/remove|nothing/.test(deed))) t.ok(isRefused, `${title}: is refused`);
            if (isRefused)
              t.match(
                error.message,
                /\/user\/link is a symbolic link that is not followed: .*\/user \(.*mode 0/,
              );
          }
        }
      }
    }
  },
);

t.test("a path behind `..` is judged where it leads, not where its text does", async (t) => {
  const at = place(t);
  mkdirSync(at("real/inner"), { recursive: true });
  mkdirSync(at("user"));
  chmodSync(at("user"), 0o777);
  symlinkSync("../real/inner", at("user/link"));
  t.match(await refusal(writeWhole(`${at("user/link")}/../f`, "x")), { fault: "refused" });
  t.strictSame(readdirSync(at("real")), ["inner"]);
});

/** Names that an operator, an editor or another program may give a file beside OCDD's `f`. */
const BESIDE = ["f.new", "f.tmp", "f.bak", "f~", ".f.swp", "f.orig", "f.dpkg-new", ".f.new"];

t.test("files of others beside the one that is written: each writer leaves them as they are", async (t) => {
  for (const [deed, write] of WRITERS) {
    const at = place(t);
    for (const name of BESIDE) writeFileSync(at(name), `draft ${name}`);
    for (const repeat of ["there is none", "there is one"]) {
      await write(at("f")).catch(() => undefined);
      for (const name of BESIDE)
        t.equal(readFileSync(at(name), "utf8"), `draft ${name}`, `${deed}, ${repeat}: ${name}`);
    }
    t.notOk(existsSync(newOf(at("f"))), `${deed}: no temporary file is left`);
  }
});

t.test("the time of a run: not written over what is none", async (t) => {
  const at = place(t);
  for (const text of ["build 17\n", "17\n18\n", " ", `${"1".repeat(40)}\n`]) {
    writeFileSync(at("last-run"), text);
    t.match(await refusal(noteRun(at("last-run"))), {
      fault: "storage",
      message: `${at("last-run")} holds something that OCDD did not write`,
      remedy: /move it away/,
    });
    t.equal(readFileSync(at("last-run"), "utf8"), text);
  }
  for (const text of ["", "\n", "99999999999999\n"]) {
    writeFileSync(at("last-run"), text);
    await noteRun(at("last-run"));
    t.match(readFileSync(at("last-run"), "utf8"), /^\d{10,11}\n$/);
  }
});

t.test("a file in the place of a directory: each writer names it as the cause, and what helps", async (t) => {
  const at = place(t);
  writeFileSync(at("file"), "x");
  const path = at("file/f");
  const all: typeof WRITERS = [
    ...WRITERS,
    ["makes it as directory", makeDirectory],
    ["makes directories above it", () => makeDirectory(at("file"))],
    ["reads it", readText],
  ];
  for (const [deed, work, says = true] of all)
    if (says)
      t.match(
        await refusal(work(path)),
        { fault: "storage", remedy: /move it away, or name another path$/ },
        deed,
      );
});
