/** The commands that say what a container is: `metadata`, `examine`, `audit`. */

import { clip } from "../core/clip.ts";
import type { Config } from "../core/config/config.ts";
import { HostError } from "../core/errors.ts";
import { type Condition, matches, textOf, valueAt } from "../core/methods/audit.ts";
import { ciMetadata } from "../core/methods/ci-metadata.ts";
import { builtAt, metadataDocument } from "../core/methods/document.ts";
import { examineText } from "../core/methods/examine.ts";
import { pathsOf } from "../core/paths.ts";
import { columns } from "../core/report/columns.ts";
import { SCHEMA_VERSION } from "../core/report/report.ts";
import { counted } from "../core/text.ts";
import { readLastStart } from "../host/disk/event-log.ts";
import { writeWhole } from "../host/disk/file.ts";
import { reasonOf } from "../host/docker/error.ts";
import { connectMethods, type DockerMethods } from "../host/docker/methods.ts";
import { type Described, describe } from "../lifecycle/methods/describe.ts";
import { slots } from "../lifecycle/slots.ts";
import type { Answer } from "./commands.ts";
import { containersOf, type Look, lookAtServices, type Selected, selected } from "./select.ts";

const MATCHES = 1;
const PARTIAL = 3;
/** Containers that are read at once. */
const AT_ONCE = 8;

const connect = (config: Config): DockerMethods =>
  connectMethods({ socket: config.dockerSocket, ...config.api });
const jsonText = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;
const now = (): number => Math.floor(Date.now() / 1000);

/** One container by name. Throws HostError "refused" where there is none, or several. */
async function one(
  name: string,
  config: Config,
): Promise<{ readonly look: Look; readonly target: Selected; readonly described: Described }> {
  const look = await lookAtServices(config);
  const containers = containersOf(name, config, look);
  if (containers.length > 1) {
    const names = containers.map((container) => clip(container.name)).join(", ");
    throw new HostError("refused", `${clip(name)} has several containers: ${names}`, {
      remedy: "name one of them",
    });
  }
  const [target] = selected({ names: [name], all: false, project: undefined }, config, look);
  const described = target === undefined ? undefined : await describe(connect(config), target.container.id);
  if (target === undefined || described === undefined)
    throw new HostError("refused", `the container of ${clip(name)} has been removed`);
  return { look, target, described };
}

/** The document of `metadata` for a container. */
async function documentOf(
  config: Config,
  { decision }: Look,
  { name, service }: Selected,
  described: Described,
  showEnv: boolean,
): Promise<object> {
  const { container, image, ancestry, labels, methods, notes } = described;
  return metadataDocument({
    name: service?.name ?? name,
    fqdn: service?.fqdn ?? null,
    container: container.name,
    ancestry,
    labels,
    methods,
    notes,
    environment: showEnv ? container.environment : null,
    runtime: {
      deployedAt: container.created,
      deployedBy: "docker",
      reason: await readLastStart(pathsOf(config).events, container.name),
      host: decision.hostIp,
      address: service?.address ?? null,
      image: container.image,
      imageId: container.imageId,
      digest: image?.digest ?? null,
    },
  });
}

/** What is known of a container, as JSON. `showEnv`: with its environment, for root only. Throws HostError. */
export async function runMetadata(config: Config, name: string, showEnv: boolean): Promise<Answer> {
  if (showEnv && process.getuid?.() !== 0)
    throw new HostError("privilege", "the environment of a container holds secrets: only root may see it", {
      remedy: "sudo ocdd metadata --show-env",
    });
  const { look, target, described } = await one(name, config);
  const document = await documentOf(config, look, target, described, showEnv);
  return { out: jsonText(document), warnings: described.notes, status: 0 };
}

/** Makes a metadata file from the variables of a CI; printed where no file is named. Needs no configuration. Throws HostError. */
export async function writeMetadata(
  environment: ReadonlyMap<string, string>,
  file: string | null,
): Promise<Answer> {
  const text = jsonText(ciMetadata(environment, now()));
  if (file !== null) await writeWhole(file, text).catch(namedDirectory);
  return { out: file === null ? text : "", warnings: [], status: 0 };
}

/** Nothing makes the directory of a file that the user names. */
function namedDirectory(error: unknown): never {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  if (!(error instanceof HostError) || code !== "ENOENT") throw error;
  const remedy = "make that directory first, or name another file";
  throw new HostError(error.fault, error.message, { cause: error.cause, remedy });
}

/** The report of `examine`. Throws HostError. */
export async function runExamine(config: Config, name: string, json: boolean): Promise<Answer> {
  const { look, target, described } = await one(name, config);
  const { container, methods, ancestry, notes } = described;
  const text = examineText({
    firstStarted: container.startedAt === null ? null : container.created,
    methods,
    ancestry,
  });
  const out = json ? jsonText(await documentOf(config, look, target, described, false)) : text;
  return { out, warnings: notes, status: 0 };
}

export interface AuditOptions {
  readonly conditions: readonly Condition[];
  /** Seconds since the build, at least; null for any. */
  readonly age: number | null;
  readonly select: readonly string[];
  readonly json: boolean;
}

/**
 * Services whose metadata meet all conditions; all of them without one. Status 1 when any meets them, 3 when none does but some could
 * not be read. Throws HostError when Docker does not answer.
 */
export async function runAudit(
  config: Config,
  { conditions, age, select, json }: AuditOptions,
): Promise<Answer> {
  const look = await lookAtServices(config);
  const targets =
    look.decision.services.length === 0
      ? []
      : selected({ names: [], all: true, project: undefined }, config, look);
  const docker = connect(config);
  const turn = slots(AT_ONCE);
  const notes: string[] = [];
  /** Fields that no service has so far; one that is to differ may be absent. */
  const absent = new Set(
    conditions.flatMap(({ path, operator, value }) => (operator === "!=" && value !== "" ? [] : path)),
  );
  let examined = 0;
  const never = new AbortController().signal;
  const found = await Promise.all(
    targets.map((target) =>
      turn(async () => {
        const document = await auditedDocument(target, { config, look, docker, age }, notes);
        if (document !== null) examined++;
        for (const path of absent) if (valueAt(document, path) !== undefined) absent.delete(path);
        return document !== null && conditions.every((one) => matches(document, one))
          ? [{ target, document }]
          : [];
      }, never),
    ),
  );
  const hits = found.flat();
  const columnsOf = select.length > 0 ? select : [...new Set(conditions.map(({ path }) => path))];
  const rows = hits.map(({ target, document }) => [
    target.name,
    clip(target.container.image),
    ...columnsOf.map((path) => clip(textOf(valueAt(document, path)) || "-")),
  ]);
  const conditional = conditions.length > 0 || age !== null;
  const text =
    hits.length === 0
      ? `none of ${counted(targets.length, "service")} matches\n`
      : columns(["NAME", "IMAGE", ...columnsOf.map((path) => path.toUpperCase())], rows);
  const document = {
    schemaVersion: SCHEMA_VERSION,
    services: hits.map(({ target, document: whole }) => ({
      name: target.name,
      container: target.container.name,
      image: target.container.image,
      ...(select.length > 0
        ? Object.fromEntries(select.map((path) => [path, valueAt(whole, path) ?? null]))
        : { metadata: whole }),
    })),
    unread: notes,
  };
  return {
    out: json ? jsonText(document) : text,
    warnings: [...notes, ...(examined === 0 ? [] : unknownFields(absent))],
    status: conditional && hits.length > 0 ? MATCHES : notes.length > 0 ? PARTIAL : 0,
  };
}

interface AuditMeans {
  readonly config: Config;
  readonly look: Look;
  readonly docker: DockerMethods;
  /** Seconds since the build; null for any. */
  readonly age: number | null;
}

/** Null where it is too young, or could not be read, which is noted. */
async function auditedDocument(
  target: Selected,
  { config, look, docker, age }: AuditMeans,
  notes: string[],
): Promise<object | null> {
  try {
    const described = await describe(docker, target.container.id);
    if (described === undefined) return null;
    for (const note of described.notes) notes.push(`${target.name}: ${note}`);
    const built = builtAt(described.ancestry, described.image?.created ?? null);
    if (age !== null && built === null) notes.push(`${target.name}: the age of its image is not known`);
    if (age !== null && (built === null || now() - built < age)) return null;
    return await documentOf(config, look, target, described, false);
  } catch (error) {
    notes.push(`${target.name} could not be read: ${reasonOf(error)}`);
    return null;
  }
}

/** Of a field that is misspelt no service matches, which looks like a good result. */
const unknownFields = (absent: ReadonlySet<string>): string[] =>
  [...absent].map((path) => `no service has the field "${clip(path)}"`);
