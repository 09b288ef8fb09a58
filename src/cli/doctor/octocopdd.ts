/** What the bash script OctoCopDD has left on a host that OCDD is to take over. */
import { leftAliases } from "../../core/addresses/leftover.ts";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import type { Observation } from "../../core/model.ts";
import { bad, type Finding } from "./finding.ts";

/** What the bash script has left; nothing where it has left nothing. */
export function octoCopDD(config: Config, seen: Observation): Finding[] {
  const rules = seen.leftRules ?? [];
  const aliases = leftAliases(config, seen);
  const found: Finding[] = [];
  if (rules.length > 0) {
    const list = rules.map(({ alias, name, target }) => `${alias} → ${target} (${clip(name, 63)})`);
    found.push(
      bad(
        "rules of OctoCopDD",
        clip(list.join(", "), 300),
        "end the script's cron job; `ocdd initialize`, or the next run, takes them over",
      ),
    );
  }
  if (aliases.length > 0)
    found.push(
      bad(
        "addresses of OctoCopDD",
        `${clip(aliases.map(({ address }) => address).join(", "), 300)} on ${config.device} lead nowhere and are not handed out`,
        "end the script's cron job; `ocdd initialize --yes` removes them",
      ),
    );
  return found;
}
