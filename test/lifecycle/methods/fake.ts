/** Docker as methods see it, in memory: one container, its image, its files, and what a command in it does. */
import type { ContainerDescription, ImageDescription } from "../../../src/host/docker/description.ts";
import type { ExecRequest, ExecResult } from "../../../src/host/docker/exec.ts";
import type { DockerMethods } from "../../../src/host/docker/methods.ts";
import { id } from "../../core/make.ts";

export const WEB = id("web");

export const ended = (status: number | null): ExecResult => ({ status, ended: null, runsOn: false });

/** What a command does: prints, and ends. */
export type Acts = (
  request: ExecRequest,
  print: (text: string | Uint8Array, stream?: "stderr") => void,
) => Promise<ExecResult>;

export interface Fake {
  readonly docker: DockerMethods;
  /** Commands that have been run. */
  readonly ran: (readonly string[])[];
}

export function fakeMethods(acts: Acts, over: Partial<DockerMethods> = {}): Fake {
  const ran: (readonly string[])[] = [];
  const docker: DockerMethods = {
    container: async () => describedAs({}),
    image: async () => imageOf({}),
    files: async () => ({ files: new Map(), leftOut: [], instead: null }),
    isExecutable: async () => false,
    execute(request) {
      ran.push(request.argv);
      return acts(request, (text, stream) => {
        void request.onOutput({ stream: stream ?? "stdout", octets: Buffer.from(text) });
      });
    },
    ...over,
  };
  return { docker, ran };
}

export const describedAs = (over: Partial<ContainerDescription>): ContainerDescription => ({
  ...{ id: WEB, name: "web", running: true, paused: false, pid: 4711, created: 1, startedAt: 2 },
  ...{
    labels: new Map(),
    image: "web:1",
    imageId: `sha256:${id("image")}`,
    environment: [],
    addresses: new Map(),
    whole: {},
  },
  ...over,
});

export const imageOf = (over: Partial<ImageDescription>): ImageDescription => ({
  ...{
    id: `sha256:${id("image")}`,
    digest: null,
    tags: [],
    created: 1,
    labels: new Map(),
    environment: new Map(),
  },
  ...over,
});
