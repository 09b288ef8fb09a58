import t from "tap";
import {
  checkAgainstHost,
  checkForInitialize,
  deviceProblem,
  hostAddress,
} from "../../../src/core/config/host-check.ts";
import { decide } from "../../../src/core/decide.ts";
import { ConfigError } from "../../../src/core/errors.ts";
import type { DeviceAddress } from "../../../src/core/model.ts";
import { alias, BRIDGE, config, HOST, ip, NOW, network, observation } from "../make.ts";

const on = (device: string, address: string, prefix: number): DeviceAddress => ({
  device,
  address: ip(address),
  prefix,
  label: device,
});

t.test("the host's own address: HOST_IP, else the device's first that is no alias", async (t) => {
  const c = config();
  const aliases = [alias("192.168.122.11")];
  const table: [string, readonly DeviceAddress[], string | undefined][] = [
    [
      "the device's first",
      [on("lo", "127.0.0.1", 8), on("ens3", "192.168.122.200", 24), on("ens3", "10.0.0.1", 8)],
      "192.168.122.200",
    ],
    ["no alias, in any order", [...aliases, on("ens3", "192.168.122.200", 24)], "192.168.122.200"],
    [
      "another program's /32 only where there is nothing else",
      [on("ens3", "10.9.9.9", 32), on("ens3", "192.168.122.200", 24)],
      "192.168.122.200",
    ],
    ["a cloud's /32", [on("ens3", "10.9.9.9", 32)], "10.9.9.9"],
    ["none", [on("ens4", "192.168.122.200", 24)], undefined],
  ];
  for (const [what, addresses, want] of table) t.equal(hostAddress(c, addresses, aliases), want, what);
  t.equal(hostAddress(config({ HOST_IP: "192.168.122.9" }), [], []), "192.168.122.9");
});

const messagesOf =
  (check: typeof checkAgainstHost) =>
  (keys: Record<string, string | null>, over = {}): string[] => {
    try {
      check(config(keys), observation(over));
      return [];
    } catch (error) {
      if (error instanceof ConfigError) return error.message.split("\n");
      throw error;
    }
  };

t.test("settings that the host contradicts: all reported at once, with their lines", async (t) => {
  const messages = messagesOf(checkAgainstHost);
  t.strictSame(messages({}), []);
  t.strictSame(messages({ NETWORK_DEVICE: "eth9" }), [
    'ocdd.conf:1: NETWORK_DEVICE: "eth9" is no network device of this host; there are ens3: set NETWORK_DEVICE to the one that clients are behind',
  ]);
  t.strictSame(messages({ NETWORK_DEVICE: "eth9" }, { devices: ["lo", "docker0"] }), [
    'ocdd.conf:1: NETWORK_DEVICE: "eth9" is no network device of this host; there are lo, docker0: set NETWORK_DEVICE to the one that clients are behind',
  ]);
  t.strictSame(messages({ IP_RANGE_END: "200" }), [], "the host's own address is passed over");
  t.strictSame(messages({ HOST_IP: "192.168.122.12" }), []);
  t.equal(checkAgainstHost(config(), observation()), HOST);
});

t.test(
  "HOST_IP that the host does not have: a warning, where name server or page are to listen there",
  async (t) => {
    const notes = (keys: Record<string, string>) => decide(config(keys), observation(), NOW).warnings;
    t.strictSame(notes({ HOST_IP: "203.0.113.7" }), [
      "HOST_IP 203.0.113.7 is no address of this host: name server and page are not reached there",
    ]);
    t.strictSame(notes({ HOST_IP: HOST }), []);
    t.strictSame(
      notes({ HOST_IP: "203.0.113.7", DNS_LISTEN: HOST }),
      [],
      "the address of a router before it",
    );
  },
);

t.test("a device that the host does not have: those there are, some by name, made printable", async (t) => {
  const many = Array.from({ length: 10 }, (_, i) => `eth${i}`);
  const list = "eth0, eth1, eth2, eth3, eth4, eth5, eth6, eth7 and 2 more";
  t.match(deviceProblem(config(), { devices: ["lo", ...many] }), `there are ${list}: set NETWORK_DEVICE`);
  t.match(deviceProblem(config(), { devices: ["a\u001b[2J"] }), "there are a\ufffd[2J:");
  t.equal(deviceProblem(config(), observation()), null);
});

t.test("a range that overlaps a network of Docker's is an error for initialize alone", async (t) => {
  const messages = messagesOf(checkForInitialize);
  t.strictSame(messages({}), []);
  t.match(messages({ IP_RANGE: "172.17.255.0-172.18.0.9" }), [
    /^ocdd\.conf:7: IP_RANGE: the range overlaps 172\.17\.0\.0-172\.17\.255\.255 of the Docker network "bridge"$/,
  ]);
  for (const driver of ["macvlan", "ipvlan", "overlay", "null"]) {
    const lan = network({ name: "lan", cidr: "192.168.122.0/24", driver });
    t.strictSame(messages({}, { networks: [BRIDGE, lan] }), [], driver);
  }
  const evil = network({ name: "a\nb", cidr: "192.168.122.16/28" });
  t.match(messages({}, { networks: [evil] }), [/network "a\ufffdb"/]);
  t.strictSame(messagesOf(checkAgainstHost)({}, { networks: [evil] }), []);
});
