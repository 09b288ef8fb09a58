import t from "tap";
import { nextHopsOf } from "../../../src/host/kernel/routes.ts";

t.test("next hops, of every kind of route that ip prints, are found once each", async (t) => {
  const text = JSON.stringify([
    { dst: "default", gateway: "192.168.122.1", dev: "ens3", flags: [] },
    { dst: "10.0.0.0/8", gateway: "192.168.122.1", dev: "ens3" },
    { dst: "10.1.0.0/16", nexthops: [{ gateway: "192.168.122.2", dev: "ens3" }, { dev: "wg0" }] },
    { dst: "10.2.0.0/16", via: { family: "inet6", host: "fe80::1" }, dev: "ens3" },
    { dst: "192.168.122.0/24", dev: "ens3", scope: "link", prefsrc: "192.168.122.200" },
    { gateway: "fe80::1" },
    { gateway: 5 },
  ]);
  t.strictSame(nextHopsOf(text), ["192.168.122.1", "192.168.122.2"]);
  t.strictSame(nextHopsOf(""), []);
  t.strictSame(nextHopsOf("{}"), []);
  t.throws(() => nextHopsOf("default via"), { message: "ip -json gave no JSON" });
});
