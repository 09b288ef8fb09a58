import t from "tap";
import { octoCopDD } from "../../src/cli/doctor/octocopdd.ts";
import { leftAliases } from "../../src/core/addresses/leftover.ts";
import { alias, BARE, config, ip, observation } from "../core/make.ts";

const on = (address: string, prefix = 32, device = "ens3") => ({
  device,
  address: ip(address),
  prefix,
  label: device,
});
const { addresses } = observation();

t.test(
  "addresses that OctoCopDD may have left: /32 of the range on the device that are neither OCDD's nor the host's",
  (t) => {
    const ours = alias("192.168.122.12");
    const seen = observation({
      actual: { ...BARE, aliases: [ours] },
      addresses: [
        ...addresses,
        ours,
        on("192.168.122.13"),
        on("192.168.122.14", 24),
        on("192.168.122.15", 32, "docker0"),
        on("192.168.122.16"),
        on("192.168.122.99"),
      ],
    });
    const left = (keys = {}) => leftAliases(config(keys), seen).map(({ address }) => address);
    t.same(left(), ["192.168.122.13", "192.168.122.16"]);
    t.same(
      left({ DNS_LISTEN: "192.168.122.16" }),
      ["192.168.122.13"],
      "one that the servers listen on stays",
    );
    t.same(left({ HOST_IP: "192.168.122.13" }), ["192.168.122.16"]);
    t.same(
      leftAliases(config({ IP_RANGE_START: "1", IP_RANGE_END: "254" }), observation()),
      [],
      "the host's own",
    );
    t.end();
  },
);

t.test("doctor names them and the script's rules, and nothing where there is none", (t) => {
  t.same(octoCopDD(config(), observation()), []);
  const found = octoCopDD(
    config(),
    observation({
      addresses: [...addresses, on("192.168.122.13")],
      leftRules: [{ alias: ip("192.168.122.14"), name: "jenkins\u001b[31m", target: "172.18.0.3" }],
    }),
  );
  t.match(found, [
    { ok: false, message: /^192\.168\.122\.14 → 172\.18\.0\.3 \(jenkins/, remedy: /takes them over/ },
    { ok: false, message: /^192\.168\.122\.13 on ens3 lead nowhere/, remedy: /initialize --yes/ },
  ]);
  t.notMatch(JSON.stringify(found), "\\u001b", "a rule's comment may be any other program's");
  t.equal(found.length, 2);
  t.end();
});
