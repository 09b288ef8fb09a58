/** Which bridge port an address is behind, by files in the kernel's form; test/lab/self.test.ts asks a real kernel. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { isBehind, KERNEL_FILES } from "../../../src/serve/http/peer.ts";
import { type Bridge, type Neighbour, writeKernel } from "./kernel-files.ts";

const directory = mkdtempSync(join(tmpdir(), "ocdd-peer-"));
t.teardown(() => rmSync(directory, { recursive: true }));

const MAC = "02:42:ac:12:00:03";
const OTHER = "02:42:ac:12:00:04";
const HERE: Neighbour = { address: "172.18.0.3", mac: MAC, device: "br-a" };
const BRIDGE: Bridge = {
  ports: { veth1: 1, veth2: 2, veth300: 300 },
  learned: [
    [OTHER, 2],
    [MAC, 1],
  ],
};

const cases: readonly [
  title: string,
  expected: boolean,
  port: string,
  Neighbour[],
  Record<string, Bridge>,
][] = [
  ["its own port", true, "veth1", [HERE], { "br-a": BRIDGE }],
  ["another port of the bridge", false, "veth2", [HERE], { "br-a": BRIDGE }],
  ["a port that has gone", false, "veth9", [HERE], { "br-a": BRIDGE }],
  ["a port above 255", true, "veth300", [HERE], { "br-a": { ...BRIDGE, learned: [[MAC, 300]] } }],
  [
    "a port whose number has the same low octet",
    false,
    "veth300",
    [HERE],
    { "br-a": { ...BRIDGE, learned: [[MAC, 44]] } },
  ],
  [
    "the same number and hardware address on another bridge",
    false,
    "veth1",
    [{ ...HERE, device: "br-b" }],
    { "br-a": BRIDGE, "br-b": { ports: { veth7: 1 }, learned: [[MAC, 1]] } },
  ],
  ["not a neighbour", false, "veth1", [], { "br-a": BRIDGE }],
  [
    "a neighbour whose hardware address is not known",
    false,
    "veth1",
    [{ ...HERE, complete: false }],
    { "br-a": BRIDGE },
  ],
  ["a neighbour on no bridge", false, "veth1", [{ ...HERE, device: "ens3" }], { "br-a": BRIDGE }],
  [
    "a hardware address that the bridge has not learned",
    false,
    "veth1",
    [HERE],
    { "br-a": { ...BRIDGE, learned: [] } },
  ],
  [
    "one that was learned on two ports",
    false,
    "veth1",
    [HERE],
    {
      "br-a": {
        ...BRIDGE,
        learned: [
          [MAC, 1],
          [MAC, 2],
        ],
      },
    },
  ],
  [
    "the bridge's own hardware address",
    false,
    "veth1",
    [HERE],
    { "br-a": { ...BRIDGE, learned: [[MAC, 1, true]] } },
  ],
  [
    "an address that begins with the neighbour's",
    false,
    "veth1",
    [{ ...HERE, address: "172.18.0.30" }],
    { "br-a": BRIDGE },
  ],
  ["a path in place of a port", false, "../brif/veth1", [HERE], { "br-a": BRIDGE }],
  ["a path in place of a device", false, "veth1", [{ ...HERE, device: "../net/br-a" }], { "br-a": BRIDGE }],
];

t.test("an address is behind a port", (t) => {
  for (const [title, expected, port, neighbours, bridges] of cases)
    t.equal(isBehind("172.18.0.3", port, writeKernel(directory, neighbours, bridges)), expected, title);
  t.end();
});

t.test("files that are not there, and this machine's own: false", (t) => {
  t.equal(isBehind("172.18.0.3", "veth1", { arp: "/nowhere", devices: "/nowhere" }), false);
  t.equal(isBehind("127.0.0.1", "lo", KERNEL_FILES), false);
  t.end();
});
