/** Finds out what a container is: its metadata, its methods, and where each of them comes from. */
import { clip } from "../../core/clip.ts";
import {
  fromOciLabels,
  type LabelMetadata,
  labelMetadata,
  type Metadata,
  MOST_METADATA_LENGTH,
  metadataOf,
  readMetadata,
} from "../../core/methods/metadata.ts";
import { type Methods, methodsOf } from "../../core/methods/method.ts";
import type { ContainerDescription, ImageDescription } from "../../host/docker/description.ts";
import { reasonOf } from "../../host/docker/error.ts";
import type { DockerMethods } from "../../host/docker/methods.ts";

export interface Described {
  readonly container: ContainerDescription;
  /** Undefined where the image has been removed meanwhile. */
  readonly image: ImageDescription | undefined;
  /** One for each image of its ancestry, oldest first. */
  readonly ancestry: readonly Metadata[];
  readonly labels: LabelMetadata;
  readonly methods: Methods;
  /** What could not be read, one line each. */
  readonly notes: readonly string[];
}

/** Of the image's author's files. */
export const METADATA_DIRECTORY = "/etc/ocdd/metadata";
const SUFFIX = ".json";
const INSTEAD = { link: "a symbolic link, which is not followed", file: "no directory" } as const;
const LIMITS = { octets: MOST_METADATA_LENGTH, total: 16 << 20, files: 64 } as const;

/** Where Docker looks for programs when the image does not say. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MOST_DIRECTORIES = 16;

/** Milliseconds for `container --metadata`. */
const SCRIPT_MS = 10_000;

const byName = (a: readonly [string, string], b: readonly [string, string]): number => (a[0] < b[0] ? -1 : 1);

/** Undefined when there is no such container. Throws HostError when Docker does not answer. */
export async function describe(docker: DockerMethods, id: string): Promise<Described | undefined> {
  const container = await docker.container(id);
  if (container === undefined) return undefined;
  const notes: string[] = [];
  const [image, read, script] = await Promise.all([
    docker.image(container.imageId),
    docker.files(container.id, METADATA_DIRECTORY, SUFFIX, LIMITS).catch((error: unknown) => {
      notes.push(`${METADATA_DIRECTORY} cannot be read: ${reasonOf(error)}`);
      return { files: new Map<string, string>(), leftOut: [], instead: null };
    }),
    scriptOf(docker, container),
  ]);
  if (read.instead !== null) notes.push(`${METADATA_DIRECTORY} is not read: it is ${INSTEAD[read.instead]}`);
  for (const name of read.leftOut)
    notes.push(`${METADATA_DIRECTORY}/${clip(name)} is left out: it is too large, or no file`);
  const files = [...read.files].sort(byName).flatMap(([name, text]) => {
    const found = readMetadata(text, `${METADATA_DIRECTORY}/${name}`);
    if ("metadata" in found) return [found.metadata];
    notes.push(clip(found.problem, 300));
    return [];
  });
  const labels = labelMetadata(new Map([...(image?.labels ?? []), ...container.labels]));
  const told = files.length > 0 || script === null ? [] : await fromScript(docker, container, script, notes);
  const methods = methodsOf({
    labels: container.labels,
    metadata: files,
    script,
    environment: image?.environment ?? new Map(),
  });
  const written = files.length > 0 ? files : told;
  const ancestry = written.length > 0 ? written : fromOciLabels(labels.oci);
  return { container, image, ancestry, labels, methods, notes: [...notes, ...methods.problems] };
}

/** Path of an executable `container` in the container's PATH, or null. */
async function scriptOf(
  docker: DockerMethods,
  { id, environment }: ContainerDescription,
): Promise<string | null> {
  const path = environment.find((line) => line.startsWith("PATH="))?.slice("PATH=".length) ?? PATH;
  const places = path
    .split(":")
    .filter((directory) => directory.startsWith("/"))
    .slice(0, MOST_DIRECTORIES)
    .map((directory) => `${directory.replace(/\/+$/, "")}/container`);
  const found = await Promise.all(places.map((place) => docker.isExecutable(id, place).catch(() => false)));
  return places.find((_, at) => found[at]) ?? null;
}

/** What the script prints: one object, or a list of them, oldest first. */
async function fromScript(
  docker: DockerMethods,
  { id, running, paused }: ContainerDescription,
  script: string,
  notes: string[],
): Promise<Metadata[]> {
  if (!running || paused) return [];
  const source = `${script} --metadata`;
  const parts: Buffer[] = [];
  let octets = 0;
  const keep = (part: Buffer): void => {
    octets += part.length;
    if (octets <= MOST_METADATA_LENGTH) parts.push(Buffer.from(part));
  };
  try {
    const { status, ended } = await docker.execute({
      container: id,
      argv: [script, "--metadata"],
      timeoutMs: SCRIPT_MS,
      onOutput: ({ stream, octets: part }) => (stream === "stdout" ? keep(part) : undefined),
    });
    if (status !== 0)
      throw new Error(ended === null ? `it ended with status ${status}` : "it did not end in time");
    if (octets > MOST_METADATA_LENGTH) throw new Error(`it printed more than ${MOST_METADATA_LENGTH} octets`);
    const value: unknown = JSON.parse(Buffer.concat(parts).toString("utf8"));
    return (Array.isArray(value) ? value.slice(0, LIMITS.files) : [value]).flatMap((one) => {
      const read = metadataOf(one, source);
      if ("problem" in read) throw new Error(read.problem);
      return [read.metadata];
    });
  } catch (error) {
    notes.push(`${clip(source)} cannot be read: ${reasonOf(error)}`);
    return [];
  }
}
