import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { readResolvers, resolversOf } from "../../../src/host/disk/resolvers.ts";

t.test("resolv.conf(5): IPv4 name servers are read, loopback and IPv6 are not", async (t) => {
  const text =
    "# nameserver 9.9.9.9\nsearch lan\nnameserver 192.168.122.1\n nameserver\t10.0.0.53 # x\nnameserver ::1\nnameserver 127.0.0.53\nnameserver\n";
  t.strictSame(resolversOf(text), ["192.168.122.1", "10.0.0.53"]);
});

t.test("two files, one of which may be missing: each server once", async (t) => {
  const place = mkdtempSync(join(tmpdir(), "ocdd-resolv-"));
  t.teardown(() => rmSync(place, { recursive: true }));
  const file = join(place, "resolv.conf");
  writeFileSync(file, "nameserver 192.0.2.53\n");
  t.strictSame(await readResolvers([file, file, join(place, "none"), place]), ["192.0.2.53"]);
});
