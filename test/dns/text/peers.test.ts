/** DNS_ALLOW_TRANSFER and DNS_NOTIFY: the configuration and the server accept and refuse the same items. */
import fc from "fast-check";
import t from "tap";
import { Bad, notifyTargets, peers } from "../../../src/core/config/values.ts";
import { parseNotifyTarget, parseTransferPeer } from "../../../src/dns/text/peers.ts";
import { isAllowed, readPermission } from "../../../src/serve/dns/networks.ts";

/** Does a reader of the configuration take this value? */
function accepts(read: (value: string) => unknown, value: string): boolean {
  try {
    read(value);
    return true;
  } catch (error) {
    if (error instanceof Bad) return false;
    throw error;
  }
}

const NOTIFY: readonly [string, boolean][] = [
  ["192.0.2.53", true],
  ["192.0.2.53@5353", true],
  ["2001:db8::53@5353", true],
  ["192.0.2.53 key:second.ary", true],
  ["192.0.2.53@0", false],
  ["192.0.2.53@65536", false],
  ["192.0.2.53@99999", false],
  ["192.0.2.53 key:", false],
  ["192.0.2.53 key:a key:b", false],
  ["192.0.2", false],
  ["example.com", false],
];

const TRANSFER: readonly [string, boolean][] = [
  ["10.0.0.0/8", true],
  ["192.0.2.53", true],
  ["2001:db8::/32", true],
  ["::1", true],
  ["key:second.ary", true],
  ["key:a/b", false],
  ["10.0.0.0/33", false],
  ["10.0.0.0/", false],
  ["10.0.0.0/08", false],
  ["2001:db8::/129", false],
  ["everyone", false],
];

t.test("a listed item: the parser, the configuration and the server agree", async (t) => {
  for (const [item, sound] of NOTIFY) {
    t.equal(parseNotifyTarget(item) !== undefined, sound, item);
    t.equal(accepts(notifyTargets, item), sound, `DNS_NOTIFY=${item}`);
  }
  for (const [item, sound] of TRANSFER) {
    t.equal(parseTransferPeer(item) !== undefined, sound, item);
    t.equal(accepts(peers, item), sound, `DNS_ALLOW_TRANSFER=${item}`);
    t.equal(readPermission([item]).unknown.length === 0, sound, `server: ${item}`);
  }
});

t.test("any text without separators: what the configuration accepts the server accepts", async () => {
  const text = fc.string({
    unit: fc.constantFrom(..."0123456789abf.:/@%key-"),
    minLength: 1,
    maxLength: 24,
  });
  fc.assert(
    fc.property(text, (item) => {
      const peer = accepts(peers, item);
      const target = accepts(notifyTargets, item);
      return (
        peer === (readPermission([item]).unknown.length === 0) &&
        target === (parseNotifyTarget(item) !== undefined)
      );
    }),
    { numRuns: 2000 },
  );
});

t.test("a network of either family: allows its addresses and no others", async (t) => {
  const { permission } = readPermission(["192.0.2.0/24", "2001:db8::/32", "key:k"]);
  t.strictSame(permission.keys, ["k"]);
  for (const [address, allowed] of [
    ["192.0.2.9", true],
    ["192.0.3.9", false],
    ["::ffff:192.0.2.9", true],
    ["2001:db8::9", true],
    ["2001:db9::9", false],
  ] as const)
    t.equal(isAllowed(permission, address), allowed, address);
});
