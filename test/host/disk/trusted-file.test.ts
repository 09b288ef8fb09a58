import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import t from "tap";
import { ConfigError } from "../../../src/core/errors.ts";
import {
  distrusted,
  distrustedSync,
  readTrustedSync,
  requireTrusted,
  type Status,
  walk,
} from "../../../src/host/disk/trusted-file.ts";

const directory = (uid: number, permissions = 0o755): Status => ({
  uid,
  mode: 0o040000 | permissions,
  link: null,
});
const file = (uid: number, permissions = 0o644): Status => ({
  uid,
  mode: 0o100000 | permissions,
  link: null,
});
const link = (uid: number, to: string): Status => ({ uid, mode: 0o120777, link: to });

const ROOT: Readonly<Record<string, Status>> = {
  "/": directory(0),
  "/etc": directory(0),
  "/etc/ocdd": directory(0),
  "/etc/ocdd/ocdd.conf": file(0),
  "/tmp": directory(0, 0o1777),
  "/home": directory(0),
};

function verdict(
  path: string,
  caller: number,
  over: Readonly<Record<string, Status>> = {},
  judged: "all" | "links" = "all",
): string | null {
  const tree = { ...ROOT, ...over };
  const walking = walk(path, caller, judged);
  let step = walking.next();
  while (!step.done) {
    const status = tree[step.value];
    if (status === undefined) throw new Error(`${step.value} is asked for`);
    step = walking.next(status);
  }
  return step.value;
}

t.test("a path: trusted by the owners and modes from / down, else refused with the remedy", async (t) => {
  const conf = "/etc/ocdd/ocdd.conf";
  t.equal(verdict(conf, 0), null);
  t.equal(verdict(conf, 1000), null, "root's file is trusted by all users");
  t.equal(
    verdict(conf, 0, { [conf]: file(1000) }),
    `${conf} (owner uid 1000, mode 0644) must be owned by root: chown root ${conf}`,
  );
  t.equal(verdict(conf, 1000, { [conf]: file(1000) }), null, "the caller's own");
  t.match(verdict(conf, 1001, { [conf]: file(1000) }), /must be owned by root or uid 1001/);
  for (const mode of [0o664, 0o646, 0o666]) {
    t.match(verdict(conf, 0, { [conf]: file(0, mode) }), /must not be writable by others: chmod go-w/);
  }
  for (const parent of ["/etc/ocdd", "/etc", "/"]) {
    t.match(verdict(conf, 0, { [parent]: directory(0, 0o775) }), `${parent} (owner root, mode 0775)`);
    t.match(verdict(conf, 0, { [parent]: directory(33) }), `${parent} (owner uid 33, mode 0755)`);
    for (const status of [directory(0, 0o775), directory(33), directory(33, 0o777)])
      t.match(
        verdict(conf, 0, { [parent]: status }),
        /: copy the file to a directory that only root can write to, such as \/etc\/ocdd$/,
      );
  }
});

t.test("an entry of a sticky directory: trusted by its owner", async (t) => {
  t.equal(verdict("/tmp/ocdd.conf", 0, { "/tmp/ocdd.conf": file(0) }), null);
  t.match(verdict("/tmp/ocdd.conf", 0, { "/tmp/ocdd.conf": file(7) }), /must be owned by root/);
  t.match(verdict("/tmp/a/c", 0, { "/tmp/a": directory(7), "/tmp/a/c": file(0) }), /^\/tmp\/a /);
});

t.test("a symbolic link: trusted by its own owner and its whole path, else refused", async (t) => {
  const conf = "/home/ocdd.conf";
  t.equal(verdict(conf, 0, { [conf]: link(0, "/etc/ocdd/ocdd.conf") }), null);
  t.equal(verdict(conf, 0, { [conf]: link(0, "../etc/./ocdd//ocdd.conf") }), null);
  t.match(verdict(conf, 0, { [conf]: link(7, "/etc/ocdd/ocdd.conf") }), /^\/home\/ocdd\.conf \(owner uid 7/);
  t.match(
    verdict(conf, 0, { [conf]: link(0, "/srv/x"), "/srv": directory(7), "/srv/x": file(0) }),
    /^\/srv \(owner uid 7/,
  );
  t.match(
    verdict(conf, 0, { [conf]: link(0, "/srv/../etc/ocdd/ocdd.conf"), "/srv": directory(0, 0o777) }),
    /^\/srv /,
    "also a directory that is left again",
  );
  t.match(verdict(conf, 0, { [conf]: link(0, conf) }), /more than 40 symbolic links/);
});

t.test(
  "links alone: refused where another user could have made one, whatever else the path leads to",
  async (t) => {
    const links = (path: string, over: Readonly<Record<string, Status>>): string | null =>
      verdict(path, 0, { "/srv": directory(7, 0o777), "/srv/x": file(7), ...over }, "links");
    t.equal(links("/srv/x", {}), null, "no link at all");
    t.equal(links("/var/x", { "/var": link(0, "srv") }), null, "root's own, as /var/run");
    t.equal(links("/tmp/x", { "/tmp/x": link(0, "/srv/x") }), null, "root's own in a sticky directory");
    for (const [path, over] of [
      ["/srv/www/x", { "/srv/www": link(0, "/etc"), "/etc/x": file(0) }],
      ["/srv/y", { "/srv/y": link(0, "/etc/ocdd") }],
      ["/tmp/y/x", { "/tmp/y": link(7, "/etc"), "/etc/x": file(0) }],
      ["/home/y", { "/home/y": link(0, "/srv/z"), "/srv/z": link(0, "/etc/ocdd") }],
    ] as const)
      t.match(
        links(path, over),
        /^\/\S+ is a symbolic link that is not followed: \/(srv|tmp\/y) \(owner uid 7/,
        path,
      );
  },
);

/** Everything that can be on a path. */
const anything = fc.record({
  uid: fc.constantFrom(0, 7, 1000),
  kind: fc.constantFrom(0o010000, 0o020000, 0o040000, 0o060000, 0o100000, 0o120000, 0o140000),
  permissions: fc.constantFrom(0o644, 0o664, 0o666, 0o755, 0o775, 0o777, 0o1777),
});

t.test("a path of any kinds, owners and modes: no remedy changes anything but a plain file", async (t) => {
  fc.assert(
    fc.property(
      fc.array(anything, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(0, 1000),
      (parts, caller) => {
        const tree = new Map<string, Status>([["/", directory(0)]]);
        let at = "";
        for (const { uid, kind, permissions } of parts) {
          at += "/x";
          tree.set(at, { uid, mode: kind | permissions, link: kind === 0o120000 ? "/" : null });
        }
        for (const judged of ["all", "links"] as const) {
          const walking = walk(at, caller, judged);
          let step = walking.next();
          while (!step.done) step = walking.next(tree.get(step.value) ?? file(0));
          const [, changed] = /: ch(?:own root|mod go-w) (\S+)$/.exec(step.value ?? "") ?? [];
          if (changed !== undefined)
            t.equal((tree.get(changed)?.mode ?? 0) & 0o170000, 0o100000, step.value ?? "");
          if (step.value !== null && judged === "links") t.notMatch(step.value, /chown|chmod|copy/);
        }
      },
    ),
  );
});

t.test(
  "a configuration that is a pipe, a directory or a device: refused with the remedy, at once",
  async (t) => {
    const place = mkdtempSync(join(tmpdir(), "ocdd-trust-"));
    t.teardown(() => rmSync(place, { recursive: true }));
    await execa("mkfifo", ["-m", "644", join(place, "pipe")]);
    await execa("mkfifo", ["-m", "666", join(place, "open")]);
    symlinkSync("/dev/null", join(place, "link"));
    for (const [path, what] of [
      [join(place, "pipe"), "a pipe"],
      [join(place, "open"), "a pipe"],
      [place, "a directory"],
      ["/dev/null", "a device"],
      [join(place, "link"), "a device"],
    ] as const)
      t.throws(() => readTrustedSync(path), {
        name: "ConfigError",
        message: `${path}: is ${what} and not a file; write the text to a file`,
      });
    t.throws(() => requireTrusted([{ key: "DNS_TSIG_KEY_FILE", where: "ocdd.conf:3", path: "/dev/null" }]), {
      message: "ocdd.conf:3: DNS_TSIG_KEY_FILE: /dev/null is a device and not a file",
    });
  },
);

t.test("files on disk: read or refused with a ConfigError by their modes", async (t) => {
  const place = mkdtempSync(join(tmpdir(), "ocdd-trust-"));
  t.teardown(() => rmSync(place, { recursive: true }));
  const conf = join(place, "ocdd.conf");
  writeFileSync(conf, "DEBUG=0\n", { mode: 0o644 });
  chmodSync(conf, 0o644);
  t.equal(readTrustedSync(conf), "DEBUG=0\n");
  t.equal(await distrusted(conf), null);
  chmodSync(conf, 0o666);
  t.throws(() => readTrustedSync(conf), ConfigError);
  t.match(await distrusted(conf), /mode 0666/);
  chmodSync(conf, 0o644);
  mkdirSync(join(place, "open"));
  chmodSync(join(place, "open"), 0o777);
  writeFileSync(join(place, "open", "key"), "");
  symlinkSync(join("open", "key"), join(place, "key"));
  t.match(distrustedSync(join(place, "key")), /\/open \(.*mode 0777\)/);
  t.throws(() => distrustedSync(join(place, "none")), { code: "ENOENT" });
  const named = (path: string) => ({ key: "DNS_TSIG_KEY_FILE", where: "ocdd.conf:3", path });
  requireTrusted([named(""), named(join(place, "none")), named(conf)]);
  t.throws(() => requireTrusted([named(join(place, "key")), named(join(place, "open", "key"))]), {
    message: /^(ocdd\.conf:3: DNS_TSIG_KEY_FILE: is not used: .*\n?){2}$/,
  });
});
