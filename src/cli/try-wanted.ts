/** What `ocdd try` is to create, by a name on the command line. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import { findNamed } from "../core/lifecycle/named.ts";
import { lifecycleOf } from "../core/lifecycle/settings.ts";
import type { TryMount } from "../core/methods/try.ts";
import { requestLike, requestOf, type TryRequest } from "../core/methods/try-body.ts";
import type { DockerMethods } from "../host/docker/methods.ts";
import { readyCheck } from "../lifecycle/methods/ready.ts";
import type { Wanted } from "../lifecycle/methods/try.ts";
import { lookAtServices } from "./select.ts";

export interface Asked {
  /** A service, a container, or an image of this host. */
  readonly name: string;
  readonly mounts: readonly TryMount[];
  /** `NAME=value`. */
  readonly environment: readonly string[];
  /** Its VALIDATE is run when it is ready. */
  readonly validate: boolean;
}

/** Throws HostError "refused" where there is no such file. */
function onThisHost(mount: TryMount): TryMount {
  const source = resolve(mount.source);
  if (existsSync(source)) return { ...mount, source };
  throw new HostError("refused", `--mount: there is no file and no directory ${clip(source, 300)}`, {
    remedy: "name one of this host; a relative path is looked for in the current directory",
  });
}

/** What the container is to be. Throws HostError "refused" for a name that is not known, or cannot be tried. */
export async function wantedOf(config: Config, asked: Asked, docker: DockerMethods): Promise<Wanted> {
  const { name, environment } = asked;
  const mounts = asked.mounts.map(onThisHost);
  const look = await lookAtServices(config);
  const readinessOf = (labels: ReadonlyMap<string, string>): Pick<Wanted, "settings" | "check"> => {
    const settings = lifecycleOf(labels, config);
    // a VALIDATE that is to be run is to fail at once
    const check = async (id: string) => (asked.validate ? undefined : readyCheck(docker, id, settings));
    return { settings, check };
  };
  const found = findNamed(name, config.zone, look.decision, look.seen);
  if (!("containers" in found)) {
    const image = await docker.image(name);
    if (image === undefined) {
      const hint = found.meant === null ? "" : `; the nearest name is ${clip(found.meant)}`;
      throw new HostError(
        "refused",
        `there is no service, no container and no image "${clip(name)}" on this host${hint}`,
        { remedy: `ocdd list; an image is not pulled here: docker pull ${clip(name)}` },
      );
    }
    const wish = { mounts, environment, imageLabels: image.labels };
    return {
      like: name,
      ...readinessOf(image.labels),
      request: (own) => requestOf(image.id, { ...wish, name: own }),
    };
  }
  const container = found.containers.find(({ state }) => state === "running") ?? found.containers[0];
  const about = container === undefined ? undefined : await docker.container(container.id);
  if (about === undefined) throw new HostError("refused", `the container of ${clip(name)} has been removed`);
  const image = await docker.image(about.imageId);
  const wish = { mounts, environment, imageLabels: image?.labels ?? new Map() };
  const request = (own: string): TryRequest => {
    const made = requestLike(about.whole, { ...wish, name: own });
    if ("body" in made) return made;
    throw new HostError("refused", `${clip(name)} cannot be tried: ${made.problem}`);
  };
  // what cannot be tried is refused before anything is made
  request("try");
  const service = look.decision.services.find(({ instances }) => instances.some(({ id }) => id === about.id));
  return { like: service?.name ?? about.name, ...readinessOf(about.labels), request };
}
