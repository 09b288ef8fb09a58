import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import t from "tap";
import { serveDns } from "../../../src/serve/dns/server.ts";

const run = promisify(execFile);

function missing(): string | false {
  if (process.getuid?.() !== 0) return "needs root: zonemaster asks port 53";
  try {
    execFileSync("which", ["zonemaster-cli"]);
    return false;
  } catch {
    return "zonemaster-cli is not installed";
  }
}

/** Findings that a zone on loopback addresses, without IPv6 and signatures, cannot avoid. */
const UNAVOIDABLE = new Set([
  "NAMESERVER_IP_PRIVATE_NETWORK",
  "NEITHER_DNSKEY_NOR_DS",
  "NOT_SIGNED",
  "NO_IPV6_NS_CHILD",
  "NO_IPV6_NS_DEL",
]);

t.test("zonemaster: no finding but loopback", { timeout: 1_200_000 }, async (t) => {
  // set-up installs it: where it is missing the test fails and says so
  const lacking = missing();
  if (lacking) throw new Error(String(lacking));
  const dir = mkdtempSync(join(tmpdir(), "ocdd-dns-"));
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
  // A private root, a parent, and the delegation of forward and reverse zone to us.
  write("hints", ".\t3600\tIN\tNS\ta.root.\na.root.\t3600\tIN\tA\t127.77.0.1\n");
  write(
    "root",
    `$TTL 60\n. SOA a.root. h.root. 1 3600 600 86400 60\n. NS a.root.\na.root. A 127.77.0.1\nexample. NS ns.example.\nns.example. A 127.77.0.1
0.77.127.in-addr.arpa. NS ns1.toolbox.example.\n`,
  );
  write(
    "example",
    "$TTL 60\n@ SOA ns h 1 3600 600 86400 60\n@ NS ns\nns A 127.77.0.1\ntoolbox NS ns1.toolbox\ntoolbox NS ns2.toolbox\nns1.toolbox A 127.77.0.2\nns2.toolbox A 127.77.0.3\n",
  );
  write(
    "toolbox",
    "$TTL 3600\n@ SOA ns1 hostmaster 2026010101 14400 3600 1209600 3600\n@ NS ns1\n@ NS ns2\n@ MX 10 mail\n@ A 127.77.0.4\nns1 A 127.77.0.2\nns2 A 127.77.0.3\nmail A 127.77.0.4\n",
  );
  write(
    "nsd.conf",
    `server:\n  ip-address: 127.77.0.1\n  port: 53\n  username: ""\n  zonesdir: "${dir}"\n  database: ""\n  pidfile: "${dir}/pid"\n  xfrdfile: "${dir}/xfrd"
  xfrdir: "${dir}"\n  zonelistfile: "${dir}/list"\n  server-count: 1\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no
zone:\n  name: .\n  zonefile: root\nzone:\n  name: example\n  zonefile: example\n`,
  );
  const nsd = spawn("nsd", ["-d", "-c", join(dir, "nsd.conf")], { stdio: "ignore" });
  const ended = once(nsd, "exit");
  const server = await serveDns({
    zone: "toolbox.example",
    zoneFile: join(dir, "toolbox"),
    listen: ["127.77.0.2", "127.77.0.3"],
    port: 53,
    allowTransfer: [],
    reverse: { ranges: [["127.77.0.2", "127.77.0.3"]] },
    log: () => {},
  });
  t.teardown(async () => {
    await server.close();
    nsd.kill();
    await ended;
    rmSync(dir, { recursive: true });
  });
  t.ok(server.endpoints.every(({ bound }) => bound));
  for (let i = 0; i < 50; i++) {
    const { stdout } = await run("dig", ["@127.77.0.1", "+short", "+time=1", "+tries=1", ".", "SOA"]).catch(
      () => ({ stdout: "" }),
    );
    if (stdout.startsWith("a.root.")) break;
    await sleep(100);
  }
  const { stdout } = await run("zonemaster-cli", [
    "--hints",
    join(dir, "hints"),
    "--no-ipv6",
    "--level",
    "NOTICE",
    "--raw",
    "toolbox.example",
  ]);
  const tags = [...stdout.matchAll(/^\s*[\d.]+\s+(\S+)\s+(\S+)\s*(.*)$/gm)];
  t.ok(tags.length >= 4, "it got as far as judging");
  t.strictSame(
    tags.filter(([, , tag]) => !UNAVOIDABLE.has(tag as string)).map(([line]) => line.trim()),
    [],
  );
  t.ok((server.counters.types.SOA ?? 0) > 5, "and asked us");
});
