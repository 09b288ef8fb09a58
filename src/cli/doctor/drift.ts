/** What a run would repair, by component, and what of the firewall is in the way. */
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { GRANTED, rangeNotes, unusableRange } from "../../core/config/host-check.ts";
import type { Part } from "../../core/forwards/forward.ts";
import type { Decision, Observation } from "../../core/model.ts";
import { plan, type Step } from "../../core/plan.ts";
import { UNGUARDED } from "../../core/report/status-rows.ts";
import { describe } from "../../core/report/steps.ts";
import { PORTLESS_REMEDY } from "../../core/services/portless.ts";
import { counted, someOf } from "../../core/text.ts";
import { refusal } from "../../director/confirm.ts";
import { bad, type Finding, failed, good, none } from "./finding.ts";

/** What a run would repair, by component; where a run is refused, why, and no repair. */
export function drift(config: Config, seen: Observation, decision: Decision): Finding[] {
  const refused = refusal(decision);
  if (refused !== null) {
    const state = none("rules, aliases, zone file and page", "not checked: a run is refused until then");
    return [failed("range", refused), obstacles(seen), state];
  }
  const { steps } = plan(seen.actual, decision.desired, seen.leasesStale);
  const link = (subject: string, concerns: (step: Step) => boolean, fine: string): Finding => {
    const lines = steps.filter(concerns).flatMap(describe);
    const more = lines.length > NAMED ? "; ..." : "";
    return lines.length === 0
      ? good(subject, fine)
      : bad(subject, `${lines.length} to repair: ${lines.slice(0, NAMED).join("; ")}${more}`, "run `ocdd`");
  };
  const frame =
    (...parts: readonly Part[]) =>
    (step: Step): boolean =>
      step.kind === "frame" && parts.includes(step.part);
  const kinds =
    (...wanted: readonly Step["kind"][]) =>
    (step: Step): boolean =>
      wanted.includes(step.kind);
  const redirection = (step: Step): boolean =>
    kinds("rule", "hairpin")(step) || frame("redirect", "hairpin")(step);
  const served = decision.services.filter((s) => s.forward !== null).length;
  const { desired } = decision;
  return [
    link("leases", kinds("lease", "conflict", "leases"), `${served} in use`),
    range(config, seen, decision),
    link(
      "forward accept",
      frame("accept"),
      "packets to services are let through (FORWARD), after the operator's own rules",
    ),
    obstacles(seen),
    link(
      "unused ports",
      frame("refusal"),
      "what a service does not offer is refused, and no program of the host answers in its place (INPUT)",
    ),
    link("rules", redirection, "the address of each service leads to its container"),
    guard(
      seen,
      decision,
      link(
        "guard",
        (step) => step.kind === "guard" || frame("guard")(step),
        "packets to a service reach its own container, or none",
      ),
    ),
    link("aliases", kinds("address"), `${desired.aliases.length} on ${config.device}`),
    link("zone file", kinds("record", "zone"), config.zoneFile),
    link("index page", kinds("page", "self"), config.indexFile),
  ];
}

/** Whether addresses are left, and whether clients reach them without a route. */
export function range(config: Config, seen: Observation, { unserved, range: use }: Decision): Finding {
  const unusable = unusableRange(config, seen);
  if (unusable !== null) return bad("range", unusable, GRANTED);
  if (unserved > 0)
    return bad(
      "range",
      `full: ${unserved} containers are not served`,
      "ask IT for a larger range, or hide containers with ocdd.enable=false",
    );
  const note = rangeNotes(config, seen)
    .map((text) => `; ${text}`)
    .join("");
  return good("range", `${use.free} of ${use.size} free${note}`);
}

/** Changes named in one line. */
const NAMED = 5;

/** Rules that refuse traffic to the aliases before OCDD accepts it: they take precedence, and are reported. */
export function obstacles({ firewall }: Observation): Finding {
  const [first] = firewall.obstacles;
  if (first === undefined) return good("operator's firewall", "does not drop traffic to the aliases");
  const more = firewall.obstacles.length > 1 ? ` (and ${firewall.obstacles.length - 1} more)` : "";
  return bad(
    "operator's firewall",
    `${clip(first, 120)}${more} comes before OCDD's accept`,
    "change or move that rule if the aliases are to be reached; to put Docker's own in order, restart Docker",
  );
}

/** Whether packets reach their own containers alone, and whether they reach them at all. */
function guard({ firewall }: Observation, { services }: Decision, drift: Finding): Finding {
  const portless = services.filter((one) => one.portless === true).map(({ name }) => name);
  if (portless.length > 0)
    return bad(
      "guard",
      `${counted(portless.length, "service")} whose bridge port is not found ${portless.length === 1 ? "gets" : "get"} no packets: ${someOf(portless, NAMED)}`,
      PORTLESS_REMEDY,
    );
  if (firewall.unguarded === null) return drift;
  return bad("guard", `not guarded: ${clip(firewall.unguarded, 120)}`, UNGUARDED);
}
