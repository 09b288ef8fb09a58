/** The real connection tracking, in network namespaces that end with the program: what is use of an alias, and what is not. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("flows-run.ts", import.meta.url));
const argv = ["--net", process.execPath, RUN];
const { stdout } = await execa("unshare", argv, { timeout: 1_200_000 });
const seen = JSON.parse(stdout);

t.test("timeouts: those of the kernel's files", async (t) => {
  t.equal(seen.timeouts.tcp[7], 77, "one that was changed");
  t.equal(seen.timeouts.tcp[3], seen.established);
});

t.test("a TCP connection is open while it is silent, for two hours, not for longer", async (t) => {
  t.match(seen.open, { open: 1, busy: true });
  t.strictSame([seen.silent, seen.dead], [1, 0]);
});

t.test("a TCP connection whose data is not acknowledged is open", async (t) => {
  t.match(seen["not acknowledged"], { idle: Number, open: 1, busy: true });
});

t.test("a TCP connection that was closed: used, longer ago with each look", async (t) => {
  t.match(seen.closed, { first: { idle: Number, open: 0 }, grown: true, busy: false });
  t.match(seen["opened and reset"], { idle: Number, open: 0, busy: false });
});

t.test("an answer to UDP or ping is use", async (t) => {
  t.strictSame(seen.answers, ["refused", "box", "silent", "refused", "answered", "box", "answered"]);
  t.match(seen.udp, { idle: Number, open: 0 });
  t.match(seen.ping, { idle: Number, open: 0 });
});

t.test("a closed port, a SYN scan, and UDP without an answer are no use", async (t) => {
  t.strictSame(
    [seen.refused, seen["udp, not answered"], seen["udp, refused"], seen.scanned],
    ["not used", "not used", "not used", "not used"],
  );
  t.strictSame(
    seen.entries,
    [
      ["10.9.0.11", true, false],
      ["10.9.0.6", false, false],
    ],
    "though the kernel tracks the scan and the datagram",
  );
});

t.test("a handshake is no use, but keeps the alias busy", async (t) => {
  t.strictSame(seen.handshake, { idle: "never", open: 0, busy: true });
});

t.test("the host's own connections, and those of sources to ignore, are left out", async (t) => {
  t.strictSame([seen.host, seen["host, counted"]], ["not used", true]);
  t.match(seen["before it is ignored"], { open: 1 });
  t.equal(seen.ignored, "not used");
});
