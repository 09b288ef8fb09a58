/** Why a container that exists is not served. */
import { clip } from "../clip.ts";
import type { Config } from "../config/config.ts";
import { lifecycleOfContainer } from "../lifecycle/sleep.ts";
import type { Container, Decision, Observation } from "../model.ts";
import { isShown } from "./labels.ts";

/** Docker's word for a container's state, with the word of `ocdd list` and `ocdd stop` for one that has ended. */
export const runWord = (state: string): string => (state === "exited" ? "stopped" : state);

/** One line, made printable; null for one that is served. */
export function whyNotServed(
  container: Container,
  config: Config,
  { services, skipped }: Pick<Decision, "services" | "skipped">,
  { containers }: Pick<Observation, "containers">,
): string | null {
  const { id, name, labels, state } = container;
  if (services.some(({ instances }) => instances.some((one) => one.id === id))) return null;
  const skip = skipped.find((one) => one.container === name);
  if (skip !== undefined) return skip.reason;
  if (container.partial === true) return "Docker's description of it is too large";
  if (!isShown(labels, config.expose))
    return labels.has("ocdd.enable")
      ? `its label ocdd.enable is "${clip(labels.get("ocdd.enable"))}"`
      : "EXPOSE is labelled, and it has no label ocdd.enable=true";
  if (containers.some((one) => one.id === id)) return "another container has its place";
  const { wake, refused } = lifecycleOfContainer(container, config);
  const why =
    refused ?? (wake ? null : config.wake === "off" ? "WAKE is off" : "it has no label ocdd.wake=true");
  return `it does not run (${clip(runWord(state))})${why === null ? "" : `, and no visit starts it: ${why}`}`;
}
