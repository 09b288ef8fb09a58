/** The queue of a real kernel, in network namespaces that end with the program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";
import { bundle } from "../../../../packaging/bundle.ts";
import { QUEUE_LENGTH } from "../../../../src/host/kernel/queue/queue.ts";
import { ALIAS, CLIENT } from "./network.ts";

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** What the program prints, after its process has ended by itself. */
async function run(file: string, argument: string): Promise<unknown> {
  const argv = ["--net", process.execPath, path(file), argument];
  return JSON.parse((await execa("unshare", argv, { timeout: 1_200_000 })).stdout);
}

t.test("verdicts: a held packet meets the rules of now, is refused, or is sent again", async (t) => {
  const released = (answer: string, protocol: string, source: string): unknown => [
    answer,
    protocol,
    source,
    ALIAS,
    protocol === "icmp" ? 0 : 80,
  ];
  t.strictSame(await run("queue-run.ts", "verdicts"), {
    "lan tcp released": released("box", "tcp", CLIENT),
    "host tcp released": released("box", "tcp", ALIAS),
    "lan tcp refused": ["refused"],
    "host tcp refused": ["refused"],
    "lan udp released": released("box", "udp", CLIENT),
    "host udp released": released("box", "udp", ALIAS),
    "lan udp refused": ["refused"],
    "host udp refused": ["refused"],
    "lan ping released": released("answered", "icmp", CLIENT),
    "host ping released": released("answered", "icmp", ALIAS),
    "lan ping refused": ["refused"],
    "host ping refused": ["refused"],
    "lan tcp dropped": ["box", true],
    failures: [],
  });
});

t.test("readers: one at a time; the queue is free after a kill, a close and an exit", async (t) => {
  const into = t.testdir();
  await bundle(into, [
    { in: "test/host/kernel/queue/queue-reader.ts", out: "queue-reader" },
    { in: "src/host/kernel/queue/queue-worker.ts", out: "queue-worker" },
  ]);
  for (const file of [path("queue-reader.ts"), `${into}/queue-reader.js`]) {
    t.strictSame(
      await run("readers-run.ts", file),
      {
        none: false,
        opened: "open",
        reader: true,
        second: "errno 1",
        arrived: "arrived tcp",
        afterKill: false,
        served: "box",
        afterClose: [false, 0, "open"],
        close: [true, null, "silent"],
        exit: [true, null, "silent"],
        withoutCapability: [1, "NetlinkError: the kernel refused a netlink request (errno 1)"],
      },
      file.endsWith(".ts") ? "from the sources" : "from the bundle",
    );
  }
});

t.test("queue full: packets are dropped, none passes", async (t) => {
  t.strictSame(await run("queue-run.ts", "full"), {
    held: [QUEUE_LENGTH, QUEUE_LENGTH],
    passed: 0,
    failures: [],
  });
});

t.test("main thread blocked: the queue is read, no packet is lost", async (t) => {
  const [before, answers] = [0, ["box", "box", "answered"]];
  t.strictSame(await run("queue-run.ts", "busy"), { before, flows: ["icmp", "tcp", "udp"], answers });
});

t.test("socket lost: reported once, the queue can be opened again", async (t) => {
  const failures = ["reading the packet queue failed (errno 88)"];
  t.strictSame(await run("readers-run.ts", "failing"), { failures, again: "open" });
});

t.test("packet without a flow: dropped", async (t) => {
  t.strictSame(await run("queue-run.ts", "unreadable"), { arrived: 0 });
});
