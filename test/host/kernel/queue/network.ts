/**
 * A host with an alias, a client on its network, and a container behind the alias, each a network namespace. The nat rules
 * hold the alias's first packets in the queue, or lead them to the container.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { type Flow, flowKey } from "../../../../src/core/lifecycle/flow.ts";
import {
  openQueue,
  QUEUE_NUMBER,
  type Queue,
  type Verdict,
} from "../../../../src/host/kernel/queue/queue.ts";
import { container, LAN_CLIENT, lan, type Peer, peer } from "../network.ts";

export const ALIAS = "10.9.0.1";
export const CLIENT = LAN_CLIENT;
const TARGET = "172.17.0.2";

/** The machines around the host. */
export interface Network {
  readonly client: Peer;
  end(): Promise<void>;
}

/** Builds them around this process's network namespace; the alias sleeps. */
export async function network(): Promise<Network> {
  const [client, box] = [peer("client"), peer("box")];
  await lan(client, [ALIAS]);
  await container(box, "veth1", TARGET);
  await asleep();
  await execa("iptables-restore", ["--noflush"], {
    input: `*nat
-A PREROUTING -d ${ALIAS} -j OCDD
-A OUTPUT -d ${ALIAS} -j OCDD
COMMIT
*filter
-A INPUT -d ${ALIAS} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -d ${ALIAS} -p tcp -j REJECT --reject-with tcp-reset
-A INPUT -d ${ALIAS} -j REJECT
COMMIT
`,
  });
  return { client, end: async () => void (await Promise.all([client.end(), box.end()])) };
}

/** First packets to the alias wait in the queue. */
export const asleep = (): Promise<unknown> =>
  rules([
    `-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j NFQUEUE --queue-num ${QUEUE_NUMBER}`,
    `-p udp -j NFQUEUE --queue-num ${QUEUE_NUMBER}`,
    `-p icmp -m icmp --icmp-type 8 -j NFQUEUE --queue-num ${QUEUE_NUMBER}`,
  ]);

/** The alias leads to the container. */
export const awake = (): Promise<unknown> => rules([`-j DNAT --to-destination ${TARGET}`]);

const rules = (list: readonly string[]): Promise<unknown> =>
  execa("iptables-restore", ["--noflush"], {
    input: `*nat\n:OCDD - [0:0]\n${list.map((rule) => `-A OCDD ${rule}\n`).join("")}COMMIT\n`,
  });

/** An open queue and what has arrived in it. */
export interface Reader {
  readonly queue: Queue;
  readonly failures: string[];
  /** Packets that have arrived and were not taken by `next`. */
  readonly waiting: { readonly id: number; readonly key: string; readonly flow: Flow }[];
  /** Decides about each packet that arrives from now on; undefined: it waits. */
  verdict: Verdict | undefined;
  /** The next packet that waits. */
  next(): Promise<Reader["waiting"][number]>;
}

export function reader(): Reader {
  const opened = openQueue(
    QUEUE_NUMBER,
    (id, flow) => {
      if (one.verdict === undefined) one.waiting.push({ id, key: flowKey(flow), flow });
      else one.queue.decide(id, one.verdict);
    },
    (error) => one.failures.push(error.message),
  );
  if ("reason" in opened) throw new Error(opened.reason);
  const one: Reader = {
    queue: opened.calls,
    failures: [],
    waiting: [],
    verdict: undefined,
    async next() {
      await until(() => one.waiting.length > 0);
      return one.waiting.shift() as Reader["waiting"][number];
    },
  };
  return one;
}

/** Resolves when the condition holds. */
export async function until(condition: () => boolean | undefined): Promise<void> {
  while (condition() !== true) await sleep(5);
}
