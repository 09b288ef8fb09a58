/** Readers of the queue that meet, end or fail, for a network namespace of its own. Prints what happened as JSON. */
import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { NetlinkError } from "../../../../src/host/kernel/netlink.ts";
import { QUEUE_NUMBER, queueHasReader } from "../../../../src/host/kernel/queue/queue.ts";
import { kernelView, netfilterSockets, socketRow } from "./kernel-view.ts";
import { ALIAS, asleep, awake, network, reader, until } from "./network.ts";

/** `failing`, or the file that reads the queue as a process. */
const [readerFile = ""] = process.argv.slice(2);
const { client, end } = await network();

/** The error's number, `open` without an error. */
function tryOpen(): string {
  try {
    void reader().queue.close();
    return "open";
  } catch (error) {
    if (error instanceof NetlinkError) return `errno ${error.errno}`;
    throw error;
  }
}

/** A process that reads the queue; `seen` resolves with its next line. */
function readerProcess(...before: readonly string[]) {
  const [program = "", ...argv] = [...before, process.execPath, readerFile];
  const child = execa(program, argv, { reject: false });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, seen: async () => (await lines.next()).value as string | undefined };
}

async function readers(): Promise<unknown> {
  const result: Record<string, unknown> = { none: await queueHasReader(QUEUE_NUMBER) };
  const killed = readerProcess();
  result.opened = await killed.seen();
  result.reader = await queueHasReader(QUEUE_NUMBER);
  result.second = tryOpen();
  const answer = client.order({ ask: { protocol: "tcp", to: ALIAS, port: 80, wait: 30_000 } });
  result.arrived = await killed.seen();
  killed.child.kill("SIGKILL");
  await killed.child;
  result.afterKill = await queueHasReader(QUEUE_NUMBER);
  // the client repeats what the kernel has dropped
  const one = reader();
  const { id } = await one.next();
  await awake();
  one.queue.decide(id, "release");
  result.served = await answer;
  await asleep();
  await one.queue.close();
  result.afterClose = [await queueHasReader(QUEUE_NUMBER), netfilterSockets().length, tryOpen()];
  for (const [order, status] of [
    ["close", 0],
    ["exit", 7],
  ] as const) {
    await until(() => kernelView() === undefined);
    const { child, seen } = readerProcess();
    await seen();
    const silent = client.order({ ask: { protocol: "ping", to: ALIAS, port: 0, wait: 2_000 } });
    await seen();
    child.stdin.write(`${order}\n`);
    result[order] = [(await child).exitCode === status, kernelView(), await silent];
  }
  const weak = readerProcess("setpriv", "--bounding-set=-net_admin");
  const { exitCode, stderr } = await weak.child;
  result.withoutCapability = [exitCode, /NetlinkError: .*/.exec(stderr)?.[0]];
  return result;
}

/** The socket is taken from under the thread. */
async function failing(): Promise<unknown> {
  const one = reader();
  const inode = socketRow().at(-1);
  const descriptors = readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  });
  for (const fd of descriptors.map(Number)) {
    closeSync(fd);
    // its number is taken, so that the queue closes no other file
    while (openSync("/dev/null", "r") !== fd);
  }
  await until(() => one.failures.length > 0);
  one.queue.decide(1, "drop");
  const again = tryOpen();
  await one.queue.close();
  return { failures: one.failures, again };
}

const result = await (readerFile === "failing" ? failing() : readers());
await end();
console.log(JSON.stringify(result));
