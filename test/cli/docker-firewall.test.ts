/** The findings of doctor on Docker's backends. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { dockerFirewall } from "../../src/cli/doctor/docker-firewall.ts";
import { parseCidr, type Range } from "../../src/core/addresses/ipv4.ts";
import { acceptedMarks, covers, markOfPool, printMark } from "../../src/core/forwards/docker-mark.ts";
import { ip } from "../core/make.ts";

const range = (first: string, last: string): Range => ({ first: ip(first), last: ip(last) });
const POOL = [range("192.168.122.11", "192.168.122.30")];

t.test(
  "the smallest prefix that holds the range is the mark; none where it would hold unmarked packets",
  (t) => {
    const mark = (...pool: Range[]): string | null => {
      const found = markOfPool(pool);
      return found === null ? null : printMark(found);
    };
    t.equal(mark(...POOL), "0xc0a87a00/0xffffffe0");
    t.equal(mark(range("10.9.0.7", "10.9.0.7")), "0x0a090007/0xffffffff");
    t.equal(mark(range("192.168.122.0", "192.168.122.255")), "0xc0a87a00/0xffffff00");
    t.equal(
      mark(range("192.168.1.9", "192.168.1.9"), range("192.168.2.9", "192.168.2.9")),
      "0xc0a80000/0xfffffc00",
    );
    t.equal(mark(range("10.9.0.7", "10.9.0.7"), range("192.168.1.1", "192.168.1.1")), null);
    t.equal(mark(range("10.9.0.7", "10.9.0.7"), range("100.64.0.1", "100.64.0.1")), null);
    t.end();
  },
);

t.test(
  "Docker's iptables: good; nftables with the marks of the range: good; else the missing line is shown",
  (t) => {
    const auto = { pool: POOL, firewall: "auto" } as const;
    const marks = (cidr: string) => {
      const mark = markOfPool([parseCidr(cidr) as Range]);
      return mark === null ? [] : [mark];
    };
    t.match(dockerFirewall(auto, "iptables", []), { ok: true });
    t.match(dockerFirewall(auto, "nftables", marks("192.168.122.0/24")), { ok: true });
    for (const some of [[], marks("192.168.122.0/28"), marks("192.168.123.0/24")])
      t.match(dockerFirewall(auto, "nftables", some), {
        ok: false,
        remedy:
          /^set "bridge-accept-fwmark": "0xc0a87a00\/0xffffffe0" in \/etc\/docker\/daemon\.json and restart/,
      });
    const far = [...POOL, range("10.9.0.7", "10.9.0.7")];
    t.match(dockerFirewall({ ...auto, pool: far }, "nftables", []), {
      ok: false,
      remedy: /a range that is one prefix/,
    });
    t.match(dockerFirewall({ ...auto, firewall: "iptables" }, "nftables", marks("192.168.122.0/24")), {
      ok: false,
      remedy: "set FIREWALL=auto",
    });
    t.end();
  },
);

t.test("the marks that Docker accepts are read from its table", async (t) => {
  const file = fileURLToPath(new URL("../recorded/docker-29.nft", import.meta.url));
  const script =
    'nft -f "$1" && nft add rule ip docker-bridges filter-forward-in__br-shop meta mark 7 accept && nft add rule ip docker-bridges filter-forward-in__br-shop meta mark and 3 == 2 accept && nft -j list table ip docker-bridges';
  const { stdout } = await execa("unshare", ["--net", "sh", "-c", script, "sh", file]);
  const marks = acceptedMarks(stdout);
  t.strictSame(marks.map(printMark), [
    "0xc0a87a00/0xffffffe0",
    "0xc0a87a00/0xffffffe0",
    "0x00000007/0xffffffff",
    "0x00000002/0x00000003",
  ]);
  t.ok(covers(marks, POOL));
  t.notOk(covers(marks, [range("192.168.122.30", "192.168.122.32")]));
  t.strictSame(acceptedMarks("{}"), []);
});
