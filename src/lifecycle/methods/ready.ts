/** VALIDATE as the check whether a container that has been started is ready (label ocdd.ready=validate). */
import type { LifecycleSettings } from "../../core/lifecycle/settings.ts";
import type { DockerMethods } from "../../host/docker/methods.ts";
import { describe } from "./describe.ts";

/** True when the container is ready; never throws. */
export type ReadyCheck = (signal: AbortSignal) => Promise<boolean>;

/** Undefined where it is not asked for, or where there is no VALIDATE: then it is ready as without the label. */
export async function readyCheck(
  docker: DockerMethods,
  id: string,
  { ready }: Pick<LifecycleSettings, "ready">,
): Promise<ReadyCheck | undefined> {
  if (ready !== "validate") return undefined;
  const described = await describe(docker, id).catch(() => undefined);
  const method = described?.methods.found.get("validate");
  if (method === undefined || !("argv" in method.action)) return undefined;
  const { argv } = method.action;
  const timeoutMs = method.timeout * 1000;
  return async (signal) => {
    const ran = docker.execute({ container: id, argv, timeoutMs, signal, onOutput: () => undefined });
    return ran.then(
      ({ status }) => status === 0,
      () => false,
    );
  };
}
