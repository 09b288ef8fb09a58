/** `npm run demo`, `npm test` and `npm run clean:lab` on a machine whose apt and dpkg are stand-ins. */

import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";

const SCRIPTS = fileURLToPath(new URL("lab/", import.meta.url));

/** What the scripts may find of this machine: no Docker, no package manager. */
const TOOLS =
  "cat chmod comm cp cut dirname find flock grep head ln ls mkdir mktemp mv rm rmdir sed sh sleep sort tail tee touch tr".split(
    " ",
  );

/**
 * apt-get on a database of three files: `installed`; `conflicts`, lines "PACKAGE OTHER"; `needs`, lines "PACKAGE NEEDED".
 * Each package that it installs brings a library and an enabled service. Removes what conflicts, as the real one does with -y.
 */
const APT = `
echo "$*" >>"$DB/calls"
[ "$1" != indextargets ] || { . /etc/os-release && echo "http://mirror.invalid $VERSION_CODENAME"; exit 0; }
command= simulate= keep= names=
while [ $# -gt 0 ]; do
  case $1 in
    -o) shift ;;
    -s) simulate=yes ;;
    --no-remove) keep=yes ;;
    --print-uris) printf 'Need to get 12.3 MB of archives.\\nAfter this operation, 45 MB of additional disk space will be used.\\n'; exit 0 ;;
    -*) ;;
    update | install | remove) command=$1 ;;
    *) names="$names $1" ;;
  esac
  shift
done
victims() {
  for name in $names; do
    if [ $command = install ]; then pattern="^$name "; else pattern=" $name$"; fi
    grep "$pattern" "$DB/$([ $command = install ] && echo conflicts || echo needs)" | while read -r one other; do
      [ $command = install ] || other=$one
      ! grep -qx "$other" "$DB/installed" || echo "$other"
    done
  done
}
remove() { grep -vx "$1" "$DB/installed" >"$DB/rest"; mv "$DB/rest" "$DB/installed"; }
[ $command != update ] || exit 0
if [ $command = install ] && ! grep -qx docker-cli "$DB/known"; then
  case "$names " in *" docker-cli "*) echo "E: Unable to locate package docker-cli"; exit 100 ;; esac
fi
gone=$(victims)
if [ -n "$keep" ] && [ -n "$gone" ]; then echo "E: Packages need to be removed but remove is disabled."; exit 100; fi
[ $command = install ] || gone="$gone $names"
if [ -n "$simulate" ]; then
  for name in $gone; do echo "Remv $name [1.0]"; done
  [ $command != install ] || for name in $names; do printf 'Inst %s (1.0)\\nInst lib%s (1.0)\\n' $name $name; done
  exit 0
fi
for name in $gone; do remove $name; done
[ $command = install ] || exit 0
[ -x "$OCDD_LAB_ROOT/usr/sbin/policy-rc.d" ] && echo "services may not start" >>"$DB/calls"
for name in $names; do
  printf '%s\\nlib%s\\n' $name $name >>"$DB/installed"
  ln -s /lib/systemd/system/$name.service "$OCDD_LAB_ROOT/etc/systemd/system/multi-user.target.wants/$name.service"
  ln -s ../init.d/$name "$OCDD_LAB_ROOT/etc/rc2.d/S01$name"
  [ "$name" != docker.io ] || printf '#!/bin/sh\n' | tee "$OCDD_LAB_ROOT/bin/docker" >"$OCDD_LAB_ROOT/bin/dockerd"
  [ "$name" != docker.io ] || chmod +x "$OCDD_LAB_ROOT/bin/docker" "$OCDD_LAB_ROOT/bin/dockerd"
  [ "$name" != "$(cat "$DB/breaks")" ] || { echo "dpkg: error processing $name"; exit 100; }
done
`;

class Machine {
  readonly root = mkdtempSync(join(tmpdir(), "ocdd-prepare-"));
  readonly db = join(this.root, "db");

  constructor(installed: readonly string[] = []) {
    for (const place of ["bin", "db", "usr/sbin", "etc/systemd/system/multi-user.target.wants", "etc/rc2.d"])
      mkdirSync(join(this.root, place), { recursive: true });
    for (const file of ["calls", "conflicts", "needs", "known", "breaks"]) this.put(file, "");
    this.put("installed", installed.map((name) => `${name}\n`).join(""));
    for (const tool of TOOLS)
      this.program(tool, `exec ${execFileSync("which", [tool], { encoding: "utf8" }).trim()} "$@"`);
    this.program("apt-get", APT);
    this.program("apt-cache", "");
    this.program("dpkg-query", `while read -r name; do echo "ii $name"; done <"$DB/installed"`);
    this.program("id", "echo 0");
  }

  put(file: string, text: string): void {
    writeFileSync(join(this.db, file), text);
  }

  program(name: string, text: string): void {
    writeFileSync(join(this.root, "bin", name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }

  run(script: string, ...args: string[]): { status: number | null; said: string } {
    const env = { PATH: join(this.root, "bin"), DB: this.db, OCDD_LAB_ROOT: this.root, TMPDIR: this.root };
    const { status, stdout, stderr } = spawnSync("/bin/sh", [join(SCRIPTS, script), ...args], {
      env,
      encoding: "utf8",
    });
    return { status, said: `${stdout}${stderr}` };
  }

  lines(file: string): string[] {
    return readFileSync(join(this.root, file), "utf8").split("\n").filter(Boolean).sort();
  }

  get installed(): string[] {
    return this.lines("db/installed");
  }

  get enabled(): string[] {
    return [
      ...readdirSync(join(this.root, "etc/systemd/system/multi-user.target.wants")),
      ...readdirSync(join(this.root, "etc/rc2.d")).filter((name) => name.startsWith("S")),
    ];
  }
}

function machine(t: { teardown(work: () => void): unknown }, installed?: readonly string[]): Machine {
  const one = new Machine(installed);
  t.teardown(() => rmSync(one.root, { recursive: true }));
  return one;
}

t.test("a bare machine: it says what is installed, starts and enables nothing, and records it", (t) => {
  const bare = machine(t, ["curl", "libc6"]);
  const { status, said } = bare.run("setup.sh", "lab");
  t.equal(status, 0, said);
  t.match(said.split("\n")[0], /^prepare: missing on this machine: bind9 .*docker\.io/);
  t.match(said, /apt installs 30 packages, .*: 12\.3 MB to download, 45 MB on disk/);
  t.notMatch(bare.installed, ["docker-cli"]);
  t.ok(bare.installed.includes("docker.io"));
  t.notOk(bare.installed.includes("prometheus"), "a package of the tests only");
  t.same(bare.enabled, []);
  t.match(readFileSync(join(bare.db, "calls"), "utf8"), "services may not start");
  t.notOk(existsSync(join(bare.root, "usr/sbin/policy-rc.d")));
  t.same(
    bare.lines("var/lib/ocdd-lab/packages"),
    bare.installed.filter((name) => name !== "curl" && name !== "libc6"),
  );
  t.same(bare.run("setup.sh", "lab"), { status: 0, said: "" }, "the second time there is nothing to say");
  t.same(bare.run("setup.sh", "--check", "lab"), { status: 0, said: "" });
  t.match(bare.run("setup.sh", "--check", "all"), { status: 1, said: /missing: .*prometheus/ });
  t.end();
});

t.test("services that were enabled before stay so, and the machine's own policy-rc.d", (t) => {
  const own = machine(t, ["nsd"]);
  const link = "etc/systemd/system/multi-user.target.wants/nsd.service";
  execFileSync("ln", ["-s", "/lib/systemd/system/nsd.service", join(own.root, link)]);
  writeFileSync(join(own.root, "usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 0\n");
  const { status, said } = own.run("setup.sh", "all");
  t.equal(status, 0, said);
  t.same(own.enabled, ["nsd.service"]);
  t.match(said, /this machine's own .*policy-rc\.d decides/);
  t.equal(readFileSync(join(own.root, "usr/sbin/policy-rc.d"), "utf8"), "#!/bin/sh\nexit 0\n");
  t.end();
});

t.test("a machine with an engine of Docker's: it serves, and no package of Docker's is installed", (t) => {
  const theirs = machine(t, ["docker-ce", "docker-ce-cli"]);
  theirs.put("conflicts", "docker.io docker-ce\n");
  for (const program of ["docker", "dockerd"]) theirs.program(program, "");
  const { status, said } = theirs.run("setup.sh", "lab");
  t.equal(status, 0, said);
  t.same(
    theirs.installed.filter((name) => /docker/.test(name)),
    ["docker-ce", "docker-ce-cli"],
  );
  t.end();
});

t.test("docker.io would remove a package: its engine is unpacked and not installed", (t) => {
  const k8s = machine(t, ["containerd.io"]);
  k8s.put("conflicts", "docker.io containerd.io\n");
  k8s.put("known", "docker-cli\n");
  // the real one is debootstrap, called by root.sh
  k8s.program(
    "debootstrap",
    'for root; do case $root in *.part) mkdir -p "$root/usr/sbin" "$root/etc"; touch "$root/etc/debian_version" ;; esac; done; echo "$*" >>"$DB/calls"',
  );
  const { status, said } = k8s.run("setup.sh", "lab");
  t.match(
    said,
    /docker\.io is not installed \(apt would remove containerd\.io \): its engine is unpacked into .*engine/,
  );
  t.equal(status, 0, said);
  t.ok(k8s.installed.includes("containerd.io"));
  t.notOk(k8s.installed.includes("docker.io"));
  t.ok(k8s.installed.includes("bind9"));
  t.same(k8s.run("setup.sh", "--check", "lab"), { status: 0, said: "" }, "it counts as there");
  t.end();
});

t.test("apt would remove a package for another one than docker.io: refused, nothing is changed", (t) => {
  const busy = machine(t, ["dnsmasq"]);
  busy.put("conflicts", "bind9 dnsmasq\n");
  const { status, said } = busy.run("setup.sh", "lab");
  t.equal(status, 1);
  t.match(said, /refused: apt would remove dnsmasq .*nothing has been changed/);
  t.same(busy.installed, ["dnsmasq"]);
  t.end();
});

t.test("an installation that fails half way: no service is enabled, what was installed is recorded", (t) => {
  const broken = machine(t);
  broken.put("breaks", "conntrack");
  const { status, said } = broken.run("setup.sh", "lab");
  t.not(status, 0);
  t.match(said, /dpkg: error processing conntrack/);
  t.same(broken.enabled, []);
  t.same(broken.lines("var/lib/ocdd-lab/packages"), broken.installed);
  t.end();
});

t.test("another user than root: told at once, nothing is changed", (t) => {
  const user = machine(t);
  user.program("id", "echo 1000");
  t.match(user.run("setup.sh", "lab"), { status: 1, said: /only root can install that/ });
  t.same(user.installed, []);
  t.end();
});

t.test("clean:lab", async (t) => {
  const used = machine(t, ["libc6"]);
  used.run("setup.sh", "lab");
  const root = join(used.root, "var/cache/ocdd-lab/sid");
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(root, "etc/debian_version"), "sid\n");
  mkdirSync(join(used.root, "var/cache/ocdd-lab/mine"));
  const before = used.installed;

  mkdirSync(join(used.root, "ocdd-lab-play"));
  used.program("node", `echo "$*" >>"$DB/labs"; [ "$4" = --force ]`);
  t.match(used.run("clean.sh"), {
    status: 1,
    said: /refused: these labs are left.*\n.*clean:lab -- --force/,
  });
  t.ok(existsSync(root), "a lab that runs may run what is there");
  t.equal(used.run("clean.sh", "--force").status, 0);
  t.match(used.lines("db/labs"), [/lab\.ts down --all$/, /lab\.ts down --all --force$/]);
  t.notOk(existsSync(root));
  rmSync(join(used.root, "ocdd-lab-play"), { recursive: true });
  mkdirSync(join(root, "etc"), { recursive: true });
  writeFileSync(join(root, "etc/debian_version"), "sid\n");

  const listed = used.run("clean.sh");
  t.match(listed, { status: 0, said: /were installed for the lab: bind9 .*\n.*-- --packages` removes them/ });
  t.same(used.installed, before, "packages stay without --packages");
  t.notOk(existsSync(root));
  t.ok(existsSync(join(used.root, "var/cache/ocdd-lab/mine")), "what is not of the lab stays");

  used.put("needs", "monitoring bind9\n");
  used.put("installed", [...before, "monitoring", ""].join("\n"));
  t.match(used.run("clean.sh", "--packages"), {
    status: 1,
    said: /refused: other packages need .*: monitoring/,
  });
  t.ok(used.installed.includes("bind9"));

  used.put("installed", [...before, ""].join("\n"));
  used.program("pgrep", "");
  t.match(used.run("clean.sh", "--packages"), { status: 1, said: /refused: dockerd is running/ });
  used.program("pgrep", "exit 1");
  t.equal(used.run("clean.sh", "--packages").status, 0);
  t.same(used.installed, ["libc6"]);
  t.notOk(existsSync(join(used.root, "var/lib/ocdd-lab")));
  t.match(used.run("clean.sh"), { status: 0, said: /no Debian package is left/ });
});
