import { setTimeout as sleep } from "node:timers/promises";
import t from "tap";
import { bindWithRetry } from "../../src/serve/bind.ts";

t.test(
  "a socket that breaks: closed before it is opened again; one that keeps breaking: opened after a pause",
  async (t) => {
    const calls: string[] = [];
    const logs: string[] = [];
    const breaks: ((error: Error) => void)[] = [];
    const binding = await bindWithRetry(
      "udp",
      "127.0.0.1",
      5300,
      async () => {
        calls.push("open");
        const failed = new Promise<Error>((fail) => breaks.push(fail));
        return { failed, close: async () => void calls.push("close") };
      },
      (level, message) => logs.push(`${level}: ${message}`),
    );
    t.equal(binding.bound(), true);
    breaks[0]?.(new Error("EIO"));
    for (let n = 0; n < 50 && breaks.length < 2; n++) await sleep(20);
    t.same(calls, ["open", "close", "open"]);
    t.equal(binding.bound(), true, "at once the first time");
    breaks[1]?.(new Error("EIO"));
    await sleep(300);
    t.same(calls, ["open", "close", "open", "close"], "not at once the second");
    t.equal(binding.bound(), false);
    t.same(logs.length, 2);
    await binding.close();
  },
);
