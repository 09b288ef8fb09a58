/** Uses aliases in every way, and looks at the kernel's tracked connections after each. For a network namespace of its own. Prints JSON. */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { countsFrom, type Use, usage } from "../../../../src/core/lifecycle/usage.ts";
import { readFlows } from "../../../../src/host/kernel/flows/flows.ts";
import { readTimeouts } from "../../../../src/host/kernel/flows/timeouts.ts";
import { NETLINK_NETFILTER, openNetlink } from "../../../../src/host/kernel/netlink.ts";
import { ip as address } from "../../../core/make.ts";
import { LAN_CLIENT as CLIENT, container, LAN_HOST as HOST, lan, peer } from "../network.ts";
import { ask, type Question } from "../peer.ts";

const SILENT = 9;
const CLOSED = 7;
/** One alias for each way. */
const aliasOf = (n: number): string => `10.9.0.${n}`;
const [client, box] = [peer("client"), peer("box")];
await lan(
  client,
  Array.from({ length: 14 }, (_, i) => aliasOf(i + 1)),
);
await container(box, "veth1", "172.17.0.2");
await box.order({ accept: SILENT });
/** Loads rules, into the namespace of a process or this one. */
const nft = (input: string, pid: number | "self" = "self"): Promise<unknown> =>
  execa("nsenter", [`--net=/proc/${pid}/ns/net`, "nft", "-f", "-"], { input });
/** While these are loaded the container sends nothing from its silent port. */
const MUTE = `table ip mute { chain output { type filter hook output priority 0; tcp sport ${SILENT} drop; }; }`;
await nft(`table ip test {
  chain pre { type nat hook prerouting priority -100; ip daddr 10.9.0.0/28 dnat to 172.17.0.2; }
  chain out { type nat hook output priority -100; ip daddr 10.9.0.0/28 dnat to 172.17.0.2; }
}`);

const opened = openNetlink(NETLINK_NETFILTER);
if ("reason" in opened) throw new Error(opened.reason);
const netlink = opened.calls;
writeFileSync("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait", "77");
const timeouts = await readTimeouts();
const established = Number(
  readFileSync("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "latin1"),
);
const host = new Set([HOST, ...Array.from({ length: 14 }, (_, i) => aliasOf(i + 1))].map(address));
const look = (n: number, counts = countsFrom([], host)): Use | undefined =>
  usage(readFlows(netlink), timeouts, (flow) => (counts(flow) ? flow.destination : undefined)).get(
    address(aliasOf(n)),
  );
/** JSON has no Infinity. */
const seen = (n: number): unknown => {
  const use = look(n);
  return use === undefined ? "not used" : { ...use, idle: use.idle === Infinity ? "never" : use.idle };
};
/** Looks until it is so. */
const until = async (n: number, so: (use: Use | undefined) => boolean): Promise<Use | undefined> => {
  while (!so(look(n))) await sleep(20);
  return look(n);
};
const question = (protocol: Question["protocol"], n: number, port: number, wait = 5_000): Question => ({
  protocol,
  to: aliasOf(n),
  port,
  wait,
});
/** Sets what is left of a connection, as if it had been silent. */
const leave = (n: number, seconds: number): Promise<unknown> =>
  execa("conntrack", ["-U", "-p", "tcp", "-d", aliasOf(n), "-t", String(seconds)]);
const result: Record<string, unknown> = { timeouts, established };
const done = (way: string, n: number): unknown => (result[way] = seen(n));

await client.order({ hold: { to: aliasOf(1), port: SILENT } });
done("open", 1);
await leave(1, established - 7_200);
result.silent = look(1)?.open;
await leave(1, established - 7_600);
result.dead = look(1)?.open;
await leave(1, established);
await client.order({ hold: "close" });
const first = await until(1, (use) => use?.open === 0);
const later = await until(1, (use) => use !== undefined && use.idle > (first?.idle ?? 0));
result.closed = { first, grown: (later?.idle ?? 0) > (first?.idle ?? 0), busy: later?.busy };

await client.order({ hold: { to: aliasOf(2), port: SILENT } });
await client.order({ hold: "reset" });
await until(2, (use) => use?.open === 0);
done("opened and reset", 2);

// the container's acknowledgement does not come
await client.order({ hold: { to: aliasOf(3), port: SILENT } });
await nft(MUTE, box.pid);
await client.order({ hold: "send" });
await until(3, () => readFlows(netlink).some((flow) => flow.destination === aliasOf(3) && flow.left <= 300));
done("not acknowledged", 3);
await nft("flush ruleset", box.pid);
await client.order({ hold: "reset" });

result.answers = [
  await client.order({ ask: question("tcp", 4, CLOSED) }),
  await client.order({ ask: question("udp", 5, 80) }),
  await client.order({ ask: question("udp", 6, SILENT, 200) }),
  await client.order({ ask: question("udp", 7, CLOSED) }),
  await client.order({ ask: question("ping", 8, 0) }),
  await ask(question("tcp", 9, 80)),
  await ask(question("ping", 9, 0)),
];
done("refused", 4);
done("udp", 5);
done("udp, not answered", 6);
done("udp, refused", 7);
done("ping", 8);
done("host", 9);
result["host, counted"] = look(9, () => true)?.busy;
await client.order({ hold: { to: aliasOf(10), port: SILENT } });
done("before it is ignored", 10);
result.ignored =
  look(10, countsFrom([{ first: address(CLIENT), last: address(CLIENT) }], host)) ?? "not used";

// a scan: SYN, SYN and acknowledgement, RST
await nft(
  "table ip scan { chain input { type filter hook input priority 0; tcp flags & (syn | ack) == syn | ack reject with tcp reset; }; }",
  client.pid,
);
result.scan = await client.order({ ask: question("tcp", 11, SILENT, 200) });
done("scanned", 11);
result.entries = readFlows(netlink)
  .flatMap(({ destination, replied, assured }) =>
    [aliasOf(6), aliasOf(11)].includes(destination) ? [[destination, replied, assured]] : [],
  )
  .sort();
await nft("flush ruleset", client.pid);

// the container does not answer
await nft(MUTE, box.pid);
const asked = client.order({ ask: question("tcp", 12, SILENT, 500) });
await until(12, (use) => use !== undefined);
done("handshake", 12);
await asked;
console.log(JSON.stringify(result));
netlink.close();
await Promise.all([client, box].map((each) => each.end()));
process.exit(0);
