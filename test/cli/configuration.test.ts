/** `ocdd config`: what it reads of the host. */
import t from "tap";
import { onThisHost } from "../../src/cli/configuration.ts";
import { ConfigError, HostError } from "../../src/core/errors.ts";
import { config, HOST, observation } from "../core/make.ts";

const host = { observe: async () => observation() };

t.test("onThisHost: the device's own address; none on a host that cannot be read", async (t) => {
  t.same(await onThisHost(config(), host), { hostIp: HOST, warnings: [] });
  const failing = (error: Error) => onThisHost(config(), { observe: () => Promise.reject(error) });
  t.same(await failing(new HostError("missing", "ip is not installed")), { hostIp: undefined, warnings: [] });
  await t.rejects(failing(new ConfigError([])), ConfigError);
});

t.test(
  "onThisHost: a device that is not there, or else a range outside of its networks, is a warning",
  async (t) => {
    const warnings = async (keys: Record<string, string>) => (await onThisHost(config(keys), host)).warnings;
    t.match(await warnings({ NETWORK_DEVICE: "eth9", IP_RANGE: "10.0.0.0/24" }), [
      /^"eth9" is no network device of this host; there are ens3: set NETWORK_DEVICE/,
    ]);
    t.same(await warnings({ IP_RANGE: "192.168.122.30-192.168.123.4" }), [
      "192.168.123.0-192.168.123.4 is in no network of ens3: clients need a route to it",
    ]);
  },
);
