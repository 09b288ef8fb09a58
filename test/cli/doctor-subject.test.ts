/** What a finding is about where the host could not be read. */
import t from "tap";
import { failed, subjectOf } from "../../src/cli/doctor/finding.ts";
import { ConfigError, HostError } from "../../src/core/errors.ts";

t.test("a host that cannot be read: the subject is what has refused, not the configuration", async (t) => {
  for (const [error, subject] of [
    [new HostError("docker", "refused (status 502)"), "Docker"],
    [new HostError("storage", "cannot read"), "files"],
    [new HostError("command", "iptables failed"), "host"],
    [new ConfigError([{ where: "ocdd.conf", message: "x" }]), "configuration"],
  ] as const)
    t.match(failed(subjectOf(error, "configuration"), error), { ok: false, subject, remedy: /./ });
});
