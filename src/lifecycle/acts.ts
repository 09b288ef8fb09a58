/** What the waker does, on the real host: through Docker, the firewall and connection tracking. */
import type { Config } from "../core/config/config.ts";
import { waiting } from "../core/forwards/forward.ts";
import type { Use } from "../core/lifecycle/usage.ts";
import { isVisit, targetPort } from "../core/lifecycle/visit.ts";
import type { Container, Observation, Service } from "../core/model.ts";
import type { Port } from "../core/ports.ts";
import type { DockerActions } from "../host/docker/actions.ts";
import type { DockerMethods } from "../host/docker/methods.ts";
import type { Host } from "../host/host.ts";
import type { Conntrack } from "../host/kernel/conntrack.ts";
import { readyCheck } from "./methods/ready.ts";
import { hasNeeds, type Known } from "./needs.ts";
import { patient, whileUnanswered } from "./patient.ts";
import { slots } from "./slots.ts";
import { addressIn, startWithNeeds, untilFit } from "./start.ts";
import type { Acts } from "./waker-types.ts";

type Containers = Pick<Observation, "containers" | "stopped">;

export interface ActsParts {
  readonly config: Pick<Config, "wakeGrace" | "wakeConcurrency">;
  readonly docker: DockerActions;
  readonly methods: DockerMethods;
  readonly gate: Host["gate"];
  readonly conntrack: Pick<Conntrack, "flush">;
  /** Port of the page of services that wait; undefined where none is shown. */
  readonly pagePort: () => Promise<number | undefined>;
  /** A container has been started because this service needs it. */
  readonly startedFor: (container: Container, by: string) => void;
  /** How one alias is used just now, by connection tracking. */
  readonly useOf: (service: Service) => Promise<Use | undefined>;
  /** The last observation. */
  readonly seen: () => Known;
  /** All containers as Docker lists them now: the observations leave out new ones that do not run. */
  readonly list: () => Promise<Containers>;
  /** Whether a container that runs or is being started needs this service. */
  readonly needed: (service: Service) => boolean;
}

const allOf = ({ containers, stopped = [] }: Containers): Container[] => [...containers, ...stopped];

/** Containers whose ports are kept; then all are asked for again. */
const MOST_EXPOSED = 8_192;

/** Why an idle stop does not last. */
const ALWAYS =
  "its restart policy is always: Docker starts it again when Docker itself starts; use unless-stopped";

type Done = Pick<Acts, "isVisit" | "start" | "ready" | "stop" | "open" | "shut" | "page" | "busy">;

export function actsOn(parts: ActsParts): Done {
  const { config, docker, methods, gate, conntrack, pagePort, useOf, seen, list, needed, startedFor } = parts;
  const inSlot = slots(config.wakeConcurrency);
  /** Container id → ports of its image. Asked for once, however many packets arrive until Docker has answered. */
  const exposed = new Map<string, Promise<readonly Port[]>>();
  const exposedBy = (id: string): Promise<readonly Port[]> => {
    const known = exposed.get(id);
    if (known !== undefined) return known;
    // of containers that have been removed
    if (exposed.size >= MOST_EXPOSED) exposed.clear();
    const asked = docker.inspect(id).then((details) => details?.ports ?? []);
    exposed.set(id, asked);
    // without an answer the next packet asks again
    asked.catch(() => exposed.delete(id));
    return asked;
  };
  /** Container id → resolves when it has been stopped, or could not be. */
  const stopping = new Map<string, Promise<unknown>>();
  const settled = async (id: string): Promise<void> => {
    await stopping.get(id);
  };
  const putToSleep = async (id: string, action: "stop" | "pause"): Promise<string | null> => {
    if (action === "pause") await docker.pause(id);
    else await docker.stop(id);
    const policy = await docker.inspect(id).then(
      (details) => details?.restartPolicy,
      () => undefined,
    );
    return action === "stop" && policy === "always" ? ALWAYS : null;
  };

  return {
    async isVisit({ sleep, instances: [instance] }, flow) {
      if (sleep === null || instance === undefined) return false;
      const named = sleep.settings.ports !== null || sleep.open.ports !== null;
      return isVisit(flow, sleep.settings, sleep.open, named ? [] : await exposedBy(instance.id));
    },
    async start({ name, instances: [instance] }, signal) {
      const known = seen();
      const container = allOf(known).find(({ id }) => id === instance?.id);
      if (container === undefined) throw new Error("its container has been removed");
      // only what Docker does takes a place, and each try by itself: a need may be waited for as long as a label says
      const inTurn = <T>(act: () => Promise<T>): Promise<T> => inSlot(act, signal);
      const turns = {
        ...docker,
        start: (id: string) => inTurn(() => docker.start(id)),
        unpause: (id: string) => inTurn(() => docker.unpause(id)),
      };
      const listed = (): Promise<Containers> => whileUnanswered(() => inTurn(list), signal);
      const others = hasNeeds(container) ? { ...known, ...(await listed()) } : known;
      const calls = patient(turns, signal, settled);
      const start = async (id: string): Promise<void> => {
        await calls.start(id);
        const need = allOf(others).find((one) => one.id === id);
        if (need !== undefined && id !== container.id) startedFor(need, name);
      };
      await startWithNeeds(container, { ...calls, start }, others, signal);
    },
    async ready({ sleep, instances: [instance] }, ports, signal) {
      if (sleep === null || instance === undefined) return null;
      const asked = (): number[] => [...new Set(ports().map((port) => targetPort(port, sleep.open)))];
      const check = await readyCheck(methods, instance.id, sleep.settings);
      const settings = { health: sleep.settings.health, grace: config.wakeGrace, check };
      const details = await untilFit(
        instance.id,
        patient(docker, signal, settled),
        settings,
        asked,
        signal,
        sleep.networkId,
      );
      if (details === null) return null;
      return { address: addressIn(details, sleep.networkId) ?? null };
    },
    async stop({ address, sleep, instances: [instance] }) {
      if (instance === undefined) return null;
      const stop = putToSleep(instance.id, sleep?.settings.idleAction ?? "stop");
      // a start meanwhile would find it running
      stopping.set(
        instance.id,
        stop.catch(() => undefined).finally(() => stopping.delete(instance.id)),
      );
      const note = await stop;
      // a closed connection that is still tracked would lead past the queue
      await conntrack.flush([address]);
      return note;
    },
    async open({ sleep, instances: [instance] }, { address }) {
      if (sleep === null || instance === undefined || address === null)
        throw new Error("it has no address in its network");
      await gate(instance.id, { ...sleep.open, target: address }, sleep.networkId);
    },
    async shut({ sleep, instances: [instance] }) {
      if (sleep !== null && instance !== undefined)
        await gate(instance.id, waiting(sleep.open), sleep.networkId);
    },
    async page({ sleep, instances: [instance] }) {
      const port = await pagePort();
      if (port === undefined || sleep === null || instance === undefined) return false;
      await gate(instance.id, waiting({ ...sleep.open, page: port }), sleep.networkId);
      return true;
    },
    async busy(service) {
      const use = await useOf(service);
      // last: a start that begins later finds that it is being stopped, and waits
      return (use !== undefined && (use.busy || use.open > 0)) || needed(service);
    },
  };
}
