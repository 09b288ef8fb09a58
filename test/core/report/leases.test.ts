import t from "tap";
import { CONFLICT_RETRY } from "../../../src/core/addresses/lease.ts";
import { readHistory } from "../../../src/core/page/history.ts";
import { leaseRows, leasesDocument, leasesText } from "../../../src/core/report/leases.ts";
import { BARE, id, ip, lease, NOW } from "../make.ts";

const HOLD = 600;
const HISTORY = readHistory(
  JSON.stringify({
    schemaVersion: 1,
    services: [{ name: "web", fqdn: "web.x", containerId: id("web").slice(0, 12), since: NOW - 5000 }],
  }),
);
const ROWS = leaseRows(
  {
    history: HISTORY,
    table: {
      ...BARE.table,
      leases: [
        lease("192.168.122.20", "container:late", { names: ["late"], releasedAt: NOW - HOLD }),
        lease("192.168.122.9", "container:web", { names: ["web", "web.x"], container: id("web") }),
        lease("192.168.122.11", "container:new\u001b", { names: ["web-2"], container: id("other") }),
        lease("192.168.122.12", "", { releasedAt: NOW - HOLD + 1 }),
      ],
      conflicts: [
        { address: ip("192.168.122.11"), seenAt: NOW - 5 },
        { address: ip("192.168.122.13"), seenAt: NOW - 5 },
        { address: ip("192.168.122.14"), seenAt: NOW - CONFLICT_RETRY },
        // the clock was set back: not avoided, as in `allocate`
        { address: ip("192.168.122.15"), seenAt: NOW + 1 },
      ],
    },
  },
  HOLD,
  NOW,
);

t.test("leases as text: in the order of addresses, each with its state", async (t) => {
  t.equal(
    leasesText(ROWS),
    `ADDRESS         NAME   OWNER           STATE             SINCE                 UNTIL
192.168.122.9   web    container:web   in use            2027-01-15T06:36:40Z  -
192.168.122.11  web-2  container:new\ufffd  in use, conflict  -                     -
192.168.122.12  -      -               on hold           2027-01-15T07:50:01Z  2027-01-15T08:00:01Z
192.168.122.13  -      -               conflict          2027-01-15T07:59:55Z  2027-01-15T08:09:55Z
192.168.122.20  late   container:late  free              2027-01-15T07:50:00Z  -
`,
  );
  t.match(
    leasesText(ROWS, (text, tone) => `<${tone} ${text}>`),
    /<bad in use, conflict>.*\n.*\n.*<bad conflict>/,
  );
});

t.test("leases as a document", async (t) => {
  t.match(leasesDocument(ROWS), {
    schemaVersion: 1,
    leases: [
      {
        address: "192.168.122.9",
        name: "web",
        names: ["web", "web.x"],
        owner: "container:web",
        state: "used",
        since: "2027-01-15T06:36:40Z",
        until: null,
        conflict: false,
      },
      { state: "used", since: null, conflict: true },
      { name: null, owner: null, state: "held", until: "2027-01-15T08:00:01Z" },
      { state: "conflict" },
      { state: "free", until: null },
    ],
  });
});
