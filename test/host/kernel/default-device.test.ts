import t from "tap";
import { routedDevice } from "../../../src/host/kernel/default-device.ts";

const HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
const route = (device: string, destination: string, flags: string, metric: number, mask: string): string =>
  `${device}\t${destination}\t017AA8C0\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

t.test("the default route's device, of several routes, is that of the lowest metric", async (t) => {
  const lan = route("ens3", "007AA8C0", "0001", 0, "00FFFFFF");
  t.equal(routedDevice(HEAD + lan), undefined);
  t.equal(routedDevice(HEAD + lan + route("ens3", "00000000", "0003", 100, "00000000")), "ens3");
  const both =
    route("wlan0", "00000000", "0003", 600, "00000000") + route("ens3", "00000000", "0003", 100, "00000000");
  t.equal(routedDevice(HEAD + both), "ens3");
  t.equal(routedDevice(HEAD + route("ens3", "00000000", "0200", 0, "00000000")), undefined, "unreachable");
  t.equal(
    routedDevice(HEAD + route("tun0", "00000000", "0003", 0, "00000080")),
    undefined,
    "half of it is not all",
  );
  t.equal(routedDevice(""), undefined);
});
