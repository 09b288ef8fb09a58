/** `ocdd config`: what it reads of the host. */
import t from "tap";
import { hostIpOf } from "../../src/cli/configuration.ts";
import { ConfigError, HostError } from "../../src/core/errors.ts";
import { config, HOST, observation } from "../core/make.ts";

t.test("hostIpOf: the device's own address; none on a host that cannot be read", async (t) => {
  t.equal(await hostIpOf(config(), { observe: async () => observation() }), HOST);
  const failing = (error: Error) => hostIpOf(config(), { observe: () => Promise.reject(error) });
  t.equal(await failing(new HostError("missing", "ip is not installed")), undefined);
  await t.rejects(failing(new ConfigError([])), ConfigError);
});
