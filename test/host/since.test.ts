/** What has been put in force, or taken out, since an observation began, in a plan made from it. */
import t from "tap";
import { type DataPath, waiting } from "../../src/core/forwards/forward.ts";
import { asOfNow } from "../../src/host/since.ts";
import { forward, ip, POOL } from "../core/make.ts";

const PLANNED: DataPath = {
  frame: { pool: POOL, subnets: [] },
  forwards: [forward(11, 2), forward(12, 3)],
  damaged: [],
};
const A = ip("192.168.122.11");

t.test("one has fallen asleep: it waits, in a queue, although none waited when it was planned", (t) => {
  const asleep = waiting({ ...forward(11, 2), target: null });
  const now = asOfNow(PLANNED, new Set(), new Map([[A, asleep]]), 47_053);
  t.strictSame(now.forwards, [asleep, forward(12, 3)]);
  t.equal(now.frame?.queue, 47_053);
  const shown = asOfNow(PLANNED, new Set(), new Map([[A, { ...asleep, page: 8_099 }]]), 47_053);
  t.equal(shown.frame?.page, 8_099);
  t.end();
});

t.test("one has been opened: it leads on, and the frame is as planned; a revoked one is left out", (t) => {
  const open = forward(11, 9);
  const now = asOfNow(PLANNED, new Set([ip("192.168.122.12")]), new Map([[A, open]]), 47_053);
  t.strictSame(now, { ...PLANNED, forwards: [open] });
  t.equal(asOfNow(PLANNED, new Set(), new Map(), 47_053), PLANNED);
  t.end();
});
