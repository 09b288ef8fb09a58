/** What the log says of a failed run. */
import t from "tap";
import { ConfigError, HostError } from "../../src/core/errors.ts";
import { failureLine } from "../../src/director/failure.ts";

t.test("a run that failed: whether it has changed something", async (t) => {
  const table: [cause: HostError | ConfigError, line: string][] = [
    [
      new HostError("docker", "Docker does not answer"),
      "Docker does not answer; current addresses and rules are unchanged",
    ],
    [
      new ConfigError([{ where: "x.conf:1", message: "no" }]),
      "x.conf:1: no; current addresses and rules are unchanged",
    ],
    [
      new HostError("storage", "could not write the zone: disk full", {
        step: "write the zone",
        remedy: "make room",
      }),
      "could not write the zone: disk full (make room); what this run did before stays in force",
    ],
  ];
  for (const [cause, line] of table) t.equal(failureLine(cause), line);
});
