/** Follows the firewall's changes while another program makes one. Prints "changed". */
import { execa } from "execa";
import { followFirewall } from "../../../src/host/kernel/netfilter-events.ts";

const stop = new AbortController();
let seen = 0;
await followFirewall(
  stop.signal,
  () => void execa("nft", ["add table ip ocdd; delete table ip ocdd"]),
  () => {
    seen += 1;
    stop.abort();
  },
);
console.log(seen > 0 ? "changed" : "not noticed");
process.exit(0);
