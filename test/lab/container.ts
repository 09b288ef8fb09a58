/** Containers of the lab, with the options of Docker's client. */

import { IMAGE } from "./image.ts";

/** A container to start; each field as `docker run` has it. */
export interface ContainerOptions {
  readonly name?: string;
  readonly image?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Compose project, service and number: the three labels that docker-compose would set. */
  readonly compose?: { readonly project: string; readonly service: string; readonly number?: number };
  readonly network?: string;
  /** More arguments for `docker run`, before the image. */
  readonly args?: readonly string[];
  /** The command instead of the image's own. */
  readonly command?: readonly string[];
}

export interface Container {
  readonly id: string;
  readonly name: string;
  /** PID of its first process: `nsenter -t PID -n` makes any program of the machine its service. */
  readonly pid: number;
  /** Its address on its first network; empty where it has none of its own. */
  readonly address: string;
}

/** The arguments of `docker run -d`; unless told otherwise a named container answers with its name. */
export function dockerRun(options: ContainerOptions): string[] {
  const { name, compose } = options;
  const env = { ...(name && { PAGE: name }), ...options.env };
  const labels = {
    ...(compose && {
      "com.docker.compose.project": compose.project,
      "com.docker.compose.service": compose.service,
      "com.docker.compose.container-number": String(compose.number ?? 1),
    }),
    ...options.labels,
  };
  return [
    ...["run", "-d"],
    ...(name === undefined ? [] : ["--name", name]),
    ...(options.network === undefined ? [] : ["--network", options.network]),
    ...Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]),
    ...Object.entries(labels).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...(options.args ?? []),
    options.image ?? IMAGE,
    ...(options.command ?? []),
  ];
}

/** What `docker inspect` prints of one container. */
export function parseInspect(text: string): Container {
  const [{ Id: id, Name, State, NetworkSettings }] = JSON.parse(text) as [
    {
      Id: string;
      Name: string;
      State: { Pid: number };
      NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
    },
  ];
  const address = Object.values(NetworkSettings.Networks).find((one) => one.IPAddress)?.IPAddress ?? "";
  return { id, name: Name.slice(1), pid: State.Pid, address };
}
