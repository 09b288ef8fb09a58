/** What is asked of a container and of its image, and the commands that are run inside it. */
import { endProcesses } from "../kernel/processes.ts";
import { readDocument } from "./answer.ts";
import { type FileLimits, type FilesRead, isExecutable, readDirectory } from "./archive.ts";
import {
  type ContainerDescription,
  type ImageDescription,
  readContainerDescription,
  readImageDescription,
} from "./description.ts";
import { connectEngine, type EngineOptions } from "./engine.ts";
import { orNone } from "./error.ts";
import { type ExecRequest, type ExecResult, execute } from "./exec.ts";
import { record } from "./json.ts";

/** Each call throws HostError "docker" or "privilege". */
export interface DockerMethods {
  /** By id or name; undefined when there is no such container. */
  container(id: string): Promise<ContainerDescription | undefined>;
  /** By id, digest or reference; undefined when this host does not have it. */
  image(reference: string): Promise<ImageDescription | undefined>;
  /** Files of a directory in the container. */
  files(id: string, directory: string, suffix: string, limits: FileLimits): Promise<FilesRead>;
  isExecutable(id: string, path: string): Promise<boolean>;
  execute(request: ExecRequest): Promise<ExecResult>;
}

export function connectMethods(options: EngineOptions): DockerMethods {
  const engine = connectEngine(options);
  const ask = async (path: string): Promise<Record<string, unknown> | undefined> => {
    // a name that no container or image can have is refused with status 400
    const item = await engine.ask({ path }, readDocument, { again: true }).catch(orNone(400, 404));
    return item === undefined ? undefined : record(item);
  };
  return {
    async container(id) {
      // ".." would be a part of the path
      if (!/^\w[\w.-]*$/.test(id)) return undefined;
      const item = await ask(`/containers/${id}/json`);
      return item === undefined ? undefined : readContainerDescription(item);
    },
    async image(reference) {
      // a slash is a part of an image's name, as Docker's own client sends it
      const path = reference.split("/").map(encodeURIComponent).join("/");
      const item = /^\w(?!.*\.\.)[\w.:/@-]*$/.test(reference) ? await ask(`/images/${path}/json`) : undefined;
      return item === undefined ? undefined : readImageDescription(item);
    },
    files: (id, directory, suffix, limits) => readDirectory(engine, id, directory, suffix, limits),
    isExecutable: (id, path) => isExecutable(engine, id, path),
    execute: (request) => execute(options, endProcesses, request),
  };
}
