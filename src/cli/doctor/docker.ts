/** Whether Docker answers, is one whose containers can be reached, and lets aliases through. */
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { connectDocker } from "../../host/docker/client.ts";
import type { Writes } from "../../host/install/programs.ts";
import { dockerFirewall, readAcceptedMarks } from "./docker-firewall.ts";
import { bad, type Finding, failed, good } from "./finding.ts";

/** The state of Docker; `filters`: its firewall backend, null where it does not answer. */
export interface DockerFindings {
  readonly findings: readonly Finding[];
  readonly filters: Writes | null;
}

/** Asks Docker, and looks at its firewall. */
export async function dockerFindings(config: Config): Promise<DockerFindings> {
  let about: ReadonlyMap<string, unknown>;
  try {
    about = await connectDocker({ socket: config.dockerSocket, ...config.api }).about();
  } catch (error) {
    return { findings: [failed("Docker", error)], filters: null };
  }
  const version = String(about.get("ServerVersion") ?? about.get("Version") ?? "unknown");
  const backend = about.get("FirewallBackend") as { Driver?: unknown } | undefined;
  const driver = typeof backend?.Driver === "string" ? backend.Driver : "iptables";
  const engine = dockerEngine(
    `engine ${clip(version)} at ${config.dockerSocket}`,
    about.get("SecurityOptions"),
  );
  const filters = driver.startsWith("nftables") ? "nft" : "iptables";
  try {
    const marks = filters === "nft" ? await readAcceptedMarks() : [];
    return { findings: [engine, dockerFirewall(config, driver, marks)], filters };
  } catch (error) {
    return { findings: [engine, failed("Docker's firewall", error)], filters };
  }
}

/** Containers of a rootless engine are in a network namespace of its own, where no rule of the host leads. */
export function dockerEngine(message: string, options: unknown): Finding {
  const rootless = Array.isArray(options) && options.some((one) => /^name=rootless\b/.test(String(one)));
  return rootless
    ? bad("Docker", `${message} is rootless: the host has no way to its containers`, "use Docker as root")
    : good("Docker", message);
}
