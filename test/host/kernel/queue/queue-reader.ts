/**
 * Reads the queue as a process of its own, and prints what happens. Standard input: `close` closes the queue, `exit` ends the
 * process with status 7 while the queue is open.
 */
import { createInterface } from "node:readline";
import { openQueue, QUEUE_NUMBER } from "../../../../src/host/kernel/queue/queue.ts";

const opened = openQueue(
  QUEUE_NUMBER,
  (_, flow) => console.log(`arrived ${flow.protocol}`),
  (error) => console.log(`failed ${error.message}`),
);
if ("reason" in opened) throw new Error(opened.reason);
console.log("open");
const orders = createInterface({ input: process.stdin });
orders.on("line", async (order) => {
  if (order === "exit") process.exit(7);
  await opened.calls.close();
  console.log("closed");
  orders.close();
});
