/** The kernel's notifications of OCDD's changes: `nft monitor` (iptables here is iptables-nft) and `ip monitor`. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Ends the notifications. */
export type Stop = () => void;

function lines(argv: readonly [string, ...string[]], heard: (line: string) => void): Stop {
  const [file, ...args] = argv;
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  createInterface({ input: child.stdout }).on("line", heard);
  return () => void child.kill();
}

/**
 * Alias and target of each forward in nat/OCDD, as they are after each transaction that changes one. What stood before
 * is not known until the chain is replaced. `ago` is how many milliseconds before its last word the first one of a
 * transaction was heard: the kernel tells of it when it is in force, and a hundred rules take a while to be printed.
 */
export function followRules(
  tell: (forwards: readonly (readonly [string, string])[], ago: number) => void,
): Stop {
  const forwards = new Map<string, readonly [string, string]>();
  let changed = false;
  let began: number | undefined;
  return lines(["nft", "-n", "-a", "monitor"], (line) => {
    const handle = / handle (\d+)$/.exec(line)?.[1] ?? "";
    const rule = / ip nat OCDD .*ip daddr ([\d.]+) .*dnat to ([\d.]+)/.exec(line);
    began ??= performance.now();
    if (/^(add|insert) rule/.test(line) && rule !== null) {
      forwards.set(handle, [rule[1] ?? "", rule[2] ?? ""]);
      changed = true;
    } else if (line.startsWith("delete rule ip nat OCDD handle")) {
      changed = forwards.delete(handle) || changed;
    } else if (line.startsWith("# new generation")) {
      if (changed) tell([...forwards.values()], performance.now() - began);
      changed = false;
      began = undefined;
    }
  });
}

/** Each /32 that is added to a device or removed. */
export function followAliases(device: string, tell: (address: string, there: boolean) => void): Stop {
  return lines(["ip", "-4", "-o", "monitor", "address", "dev", device], (line) => {
    const address = /inet ([\d.]+)\/32/.exec(line)?.[1];
    if (address !== undefined) tell(address, !line.startsWith("Deleted"));
  });
}
