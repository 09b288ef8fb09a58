/** Both ARP engines on a LAN of the lab's: which addresses are in use, and what a neighbour has cached. */
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import t from "tap";
import { fromNumber } from "../../../../src/core/addresses/ipv4.ts";
import {
  announcementFrames,
  FRAME_SIZE,
  hexOf,
  probeFrame,
  readFrame,
} from "../../../../src/host/kernel/arp/frame.ts";
import { ip } from "../../../core/make.ts";
import { raiseLab } from "../../../lab/lab.ts";
import { CLIENT_ADDRESS, HOST_DEVICE, IT_ADDRESS } from "../../../lab/network.ts";

const RUN = fileURLToPath(new URL("probe-run.ts", import.meta.url));

t.setTimeout(1_200_000);

t.test("frames", async (t) => {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
  const probe = probeFrame(mac, ip("192.168.122.11"));
  t.equal(
    hexOf(probe),
    "ffffffffffff" +
      "020000000009" +
      "0806" +
      "0001080006040001" +
      "02000000000900000000" +
      "000000000000c0a87a0b",
  );
  t.strictSame(readFrame(probe, FRAME_SIZE), {
    sender: "0.0.0.0",
    target: "192.168.122.11",
    hardware: "020000000009",
    request: true,
  });
  const [request, reply] = announcementFrames(mac, ip("192.168.122.11"));
  t.match(readFrame(request ?? probe, FRAME_SIZE), {
    sender: "192.168.122.11",
    target: "192.168.122.11",
    request: true,
  });
  t.match(readFrame(reply ?? probe, FRAME_SIZE), {
    sender: "192.168.122.11",
    target: "192.168.122.11",
    request: false,
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(0xffffffff), fc.nat(41), (noise, n, at) => {
      readFrame(noise, noise.length);
      const bent = probeFrame(mac, fromNumber(n));
      bent[at] = (bent[at] ?? 0) ^ 0xff;
      const proper = at < 12 || at > 19;
      return (readFrame(bent, FRAME_SIZE) !== undefined) === proper && readFrame(bent, 41) === undefined;
    }),
  );
});

t.test("on a LAN", async (t) => {
  const lab = await raiseLab({ name: "arp", docker: false, dns: false });
  t.teardown(() => lab.down());
  const arp = async (engine: string, deed: string, device: string, ...addresses: string[]) =>
    JSON.parse(
      (await lab.run("host", [process.execPath, RUN, engine, deed, device, ...addresses])).stdout,
    ) as {
      taken?: string[];
      first?: string;
      error?: string;
      fault?: string;
    };

  for (const engine of ["packet", "process", "chosen"]) {
    t.test(`${engine}: addresses in use are found`, async (t) => {
      const got = await arp(
        engine,
        "probe",
        HOST_DEVICE,
        "192.168.122.11",
        CLIENT_ADDRESS,
        "192.168.122.12",
        IT_ADDRESS,
      );
      t.strictSame(got.taken, [IT_ADDRESS, CLIENT_ADDRESS]);
    });

    t.test(`${engine}: a neighbour that has cached another owner learns this host's address`, async (t) => {
      const address = "192.168.122.13";
      const neighbour = async (): Promise<string> =>
        (await lab.run("client", ["ip", "neigh", "show", address])).stdout;
      // the kernel ignores a further change within this time of the last one
      await lab.run("client", ["sysctl", "-qw", "net.ipv4.neigh.eth0.locktime=0"]);
      await lab.run("client", [
        "ip",
        "neigh",
        "replace",
        address,
        "lladdr",
        "02:00:00:00:00:99",
        "nud",
        "stale",
        "dev",
        "eth0",
      ]);
      t.match(await neighbour(), "02:00:00:00:00:99");
      await lab.run("host", ["ip", "addr", "replace", `${address}/32`, "dev", HOST_DEVICE]);
      t.equal((await arp(engine, "announce", HOST_DEVICE, address)).error, undefined);
      t.match(await neighbour(), await lab.mac("host", HOST_DEVICE));
      await lab.run("host", ["ip", "addr", "del", `${address}/32`, "dev", HOST_DEVICE]);
    });

    t.test(`${engine}: a device that is not there`, async (t) => {
      const got = await arp(engine, "probe", "nodev0", "192.168.122.11");
      t.type(got.error, "string");
    });
  }

  t.test("packet: two thousand addresses in the time of one", async (t) => {
    const many = Array.from({ length: 2000 }, (_, i) => `10.77.${i >> 8}.${i & 255}`);
    const got = await arp("packet", "probe", HOST_DEVICE, ...many, CLIENT_ADDRESS);
    t.strictSame(got.taken, [CLIENT_ADDRESS]);
    // one after the other they would take an hour, and the process is ended after two minutes
  });

  t.test("packet: all addresses in use: known at once", async (t) => {
    const got = await arp("packet", "beside a free address", HOST_DEVICE, CLIENT_ADDRESS, IT_ADDRESS);
    t.equal(got.taken?.length, 2);
    t.equal(
      got.first,
      "taken",
      "before the time for answers, in which a free address is listened for, is over",
    );
  });

  t.test("packet: closed while a probe is under way: the probe ends, and reads no other file", async (t) => {
    const argv = [process.execPath, RUN, "packet", "close meanwhile", HOST_DEVICE];
    const { code, stdout } = await lab.run("host", [...argv, CLIENT_ADDRESS, "192.168.122.11"], {
      timeout: 600_000,
      check: false,
    });
    t.equal(code, 0, "it ends");
    t.match(JSON.parse(stdout), { taken: [CLIENT_ADDRESS], after: "the packet socket is closed" });
  });

  t.test("without CAP_NET_RAW: an error that names it", async (t) => {
    const { stdout } = await lab.run("host", [
      "setpriv",
      "--bounding-set",
      "-net_raw",
      "--inh-caps",
      "-net_raw",
      process.execPath,
      RUN,
      "packet",
      "probe",
      HOST_DEVICE,
      "192.168.122.11",
    ]);
    t.match(JSON.parse(stdout), { fault: "privilege", error: /EPERM/ });
  });

  t.test("a device without hardware addresses: not opened by the packet engine", async (t) => {
    t.match(await arp("packet", "probe", "lo", "192.168.122.11"), { error: "no packet socket here" });
  });
});
