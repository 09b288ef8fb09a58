/** How services are used, from messages of the kernel's as they are and with other addresses. */
import t from "tap";
import { lifecycleOf } from "../../src/core/lifecycle/settings.ts";
import type { Service } from "../../src/core/model.ts";
import type { Netlink } from "../../src/host/kernel/netlink.ts";
import type { Message } from "../../src/host/kernel/netlink-message.ts";
import { useReader } from "../../src/lifecycle/use.ts";
import { attachment, config, container, forward, id, ip } from "../core/make.ts";

const NEW = 0x100;
/** Linux 6.18's: TCP, established, from 10.9.0.253 to port 9 of 10.9.0.1, redirected to 172.17.0.2. */
const TCP =
  "020000003400018014000180080001000a0900fd080002000a0900011c000280050001000600000006000200cbda000006000300000900003400028014000180" +
  "08000100ac110002080002000a0900fd1c0002800500010006000000060002000009000006000300cbda000008000300000001ae080008000000000008000c00" +
  "6952253008000b0000000001080007000006977f300004802c0001800500010003000000050002000a000000050003000a000000060004002300000006000500" +
  "23000000";
const [ALIAS, HOST] = ["0a090001", "0a0900c8"];

/** The use of the alias 10.9.0.1, and how often the list of connections was read. */
async function used(hex: string, ignore = "192.0.2.0/24") {
  let reads = 0;
  const calls = {
    list(_: Message, each: (message: Message) => void) {
      reads += 1;
      each({ type: NEW, flags: 2, body: Buffer.from(hex, "hex") });
    },
  } as unknown as Netlink;
  const web = container({
    name: "web",
    attachments: [attachment("bridge", "172.17.0.9"), attachment("other", "172.17.0.2")],
  });
  const host = { device: "eth0", address: ip("10.9.0.200"), prefix: 24, label: "eth0" };
  const read = useReader({
    netfilter: { calls },
    seen: () => ({ containers: [web], addresses: [host] }),
    now: () => 0,
  });
  const settings = lifecycleOf(new Map([["ocdd.idle.ignore", ignore]]), config());
  const service = {
    address: ip("10.9.0.1"),
    instances: [{ id: id("web") }],
    sleep: { settings, open: { ...forward(11, 9), alias: ip("10.9.0.1") }, networkId: id("bridge") },
  } as unknown as Service;
  return { use: (await read([service])).get(service.address), reads };
}

t.test("a connection to the alias is use of it", async (t) => {
  t.match(await used(TCP), { use: { open: 1, busy: true }, reads: 1 });
});

t.test(
  "a connection through a published port, in whichever network it ends, is use of the alias",
  async (t) => {
    const published = TCP.replaceAll(ALIAS, HOST);
    t.match(await used(published), { use: { open: 1, busy: true }, reads: 1 });
    t.match(await used(published.replaceAll("ac110002", "ac110009")), { use: { open: 1, busy: true } });
    t.equal((await used(published.replaceAll("ac110002", "ac110003"))).use, undefined, "another container");
    t.equal((await used(published, "10.9.0.253")).use, undefined, "a source to ignore");
  },
);

t.test("connection tracking cannot be read: the reason is thrown", async (t) => {
  const read = useReader({
    netfilter: { reason: "no permission" },
    seen: () => ({ containers: [], addresses: [] }),
    now: () => 0,
  });
  await t.rejects(read([]), { message: "no permission" });
});
