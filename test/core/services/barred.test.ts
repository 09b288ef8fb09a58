import t from "tap";
import { whyBarred } from "../../../src/core/services/barred.ts";
import { name, ZONE } from "../make.ts";

const why = (asked: string, handwritten: Readonly<Record<string, string>> = {}) =>
  whyBarred(asked, {
    zone: ZONE,
    hostName: name("dockerhost"),
    handwritten: new Map(Object.entries(handwritten)),
  });

t.test("a name with a hand-written record of any type: no container gets it", async (t) => {
  for (const type of ["A", "AAAA", "CNAME", "MX", "TXT", "HTTPS", "SRV", "NS", "CAA"]) {
    t.equal(
      why("intranet", { intranet: type }),
      `"intranet" has a hand-written ${type} record in the zone file`,
    );
    t.match(why("web.shop", { "web.shop": type }), /hand-written/, "a dotted one as well");
  }
  t.equal(why("intranet", { wiki: "A" }), null);
});

t.test("a dotted name: barred below a delegation or a DNAME, free below another record", async (t) => {
  for (const type of ["NS", "DNAME"]) t.match(why("web.shop", { shop: type }), /lies below a hand-written/);
  t.equal(why("web.shop", { shop: "A" }), null);
  t.equal(why("shop", { "web.shop": "NS" }), null);
});

t.test("reserved names and names too long for the zone: no container gets them", async (t) => {
  for (const reserved of ["ns", "ns1", "localhost", "wpad", "isatap", "dockerhost"])
    t.match(why(reserved), /reserved/);
  t.match(why(`${"x".repeat(63)}.${"y".repeat(63)}.${"z".repeat(63)}.${"a".repeat(60)}`), /too long/);
  t.equal(why("web"), null);
});
