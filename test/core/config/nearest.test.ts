/** Which known word a misspelt one was meant to be. */
import t from "tap";
import { meant } from "../../../src/core/config/nearest.ts";

t.test("meant: at most two edits, one for a name of three letters, in any case", async (t) => {
  const known = ["WAKE", "DNS_TTL", "DEBUG", "web", "ftp"];
  for (const [name, want] of [
    ["FOO", null],
    ["wbe", "web"],
    ["ebw", null],
    ["wob", "web"],
    ["fttp", "ftp"],
    ["waek", "WAKE"],
    ["DNS_TLL", "DNS_TTL"],
    ["DNS_TIMEL", null],
    ["x", null],
    ["", null],
  ] as const)
    t.equal(meant(name, known), want, name);
  t.equal(meant("web", []), null);
});
