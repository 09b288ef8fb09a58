/** Reverse zones over the versions of their forward zone: which of them get a new one. */
import t from "tap";
import { serialOf } from "../../../src/dns/zone/zone.ts";
import { reverseZones } from "../../../src/serve/dns/reverse-zones.ts";
import { zoneOf } from "../../dns/zones.ts";

const version = (serial: number, more = "", expire = 86_400) =>
  zoneOf(
    `$TTL 60\n@ SOA ns1 root ${serial} 3600 600 ${expire} 60\n@ NS ns1\nns1 A 10.1.0.1\nweb A 10.1.7.5\n${more}`,
  );

t.test(
  "a change of the forward zone: only the reverse zones whose records differ get a new version",
  async (t) => {
    const reverse = reverseZones({ ranges: [["10.1.0.0", "10.1.255.255"]] });
    const changed = (forward: ReturnType<typeof zoneOf>): number[] => {
      const before = reverse.served();
      reverse.follow(forward);
      return reverse.served().flatMap((one, i) => (one.zone === before[i]?.zone ? [] : i));
    };
    const serials = (...nets: number[]) =>
      nets.map((net) => serialOf(reverse.served()[net]?.zone as ReturnType<typeof zoneOf>));
    t.equal(changed(version(1)).length, 256, "the first version");
    t.same(changed(version(2)), [], "nothing but the serial");
    t.same(changed(version(3, "new A 10.1.9.9\n")), [9], "a name appears");
    t.same(serials(7, 9), [1, 3], "the others keep their serial");
    t.same(changed(version(4, "new A 10.1.8.9\n")), [8, 9], "its address changes");
    t.same(changed(version(5, "web TXT x\nnew A 10.1.8.9\n")), [], "what has no reverse name");
    t.equal(changed(version(6, "", 90_000)).length, 256, "the SOA differs in more than its serial");
    t.same(serials(7, 8), [6, 6]);
    t.same(
      reverse.served()[9]?.history?.map(({ from, to }) => [from, to]),
      [
        [1, 3],
        [3, 4],
        [4, 6],
      ],
      "the journal leads over what was skipped",
    );
  },
);
