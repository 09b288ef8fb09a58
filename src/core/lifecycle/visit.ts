/** Which packets start a service that sleeps. */
import { contains, type Ipv4, parseCidr } from "../addresses/ipv4.ts";
import type { Forward } from "../forwards/forward.ts";
import type { Port } from "../ports.ts";
import type { Flow } from "./flow.ts";
import type { LifecycleSettings } from "./settings.ts";

type Asked = Pick<LifecycleSettings, "ports" | "from" | "ignore">;

/**
 * True when a packet is a visit. Only the ports of `ocdd.wake.ports` count, else those of `ocdd.ports`, else those that the
 * image exposes or `ocdd.map` maps, else all; a ping counts unless `ocdd.wake.ports` is set. `ocdd.wake.from` says from
 * where, and what `ocdd.idle.ignore` names is no visitor. `exposed`: ports of the image.
 */
export function isVisit(flow: Flow, asked: Asked, open: Forward, exposed: readonly Port[]): boolean {
  const { ports, from, ignore } = asked;
  if (isIn(flow.source, ignore) || (from !== null && !isIn(flow.source, from))) return false;
  if (flow.protocol === "icmp") return ports === null;
  const waking = ports ?? open.ports ?? [...exposed, ...(exposed.length > 0 ? open.map : [])];
  return (
    waking.length === 0 ||
    waking.some(({ protocol, port }) => protocol === flow.protocol && port === flow.port)
  );
}

const isIn = (address: Ipv4, cidrs: readonly string[]): boolean =>
  cidrs.some((cidr) => {
    const range = parseCidr(cidr);
    return range !== undefined && contains(range, address);
  });

/** The container's ports for those of its alias. */
export function targetPort(port: number, { map }: Forward): number {
  return map.find((one) => one.protocol === "tcp" && one.port === port)?.to ?? port;
}
