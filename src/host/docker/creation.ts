/** Creates containers through Docker, and removes them. */
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../core/errors.ts";
import { lines, type Tail, tail } from "../../core/methods/output.ts";
import { readDocument, readList } from "./answer.ts";
import { connectEngine, type EngineOptions } from "./engine.ts";
import { dockerError, orNone } from "./error.ts";
import { readFrames } from "./frames.ts";
import { isContainerId, record, records, string } from "./json.ts";

/** Each call throws HostError "docker" or "privilege", with Docker's own message. */
export interface DockerCreation {
  /**
   * The id of the new container; undefined where its name is in use. After a HostError it may exist all the same: Docker may not
   * have answered.
   */
  create(name: string, body: Readonly<Record<string, unknown>>): Promise<string | undefined>;
  /** Has a container join a network, by the network's name or id. */
  connect(id: string, network: string): Promise<void>;
  /** Ends and removes a container with its anonymous volumes. One that is gone is no error. */
  remove(id: string): Promise<void>;
  /** Id of the container of this name with the label `key=value`, whatever its state. */
  labelled(name: string, key: string, value: string): Promise<string | undefined>;
  /** The last lines that it has printed, printable; none where Docker does not have them. */
  logs(id: string): Promise<string>;
}

/** Milliseconds for a creation: a volume may be filled with the image's files. */
const CREATE_MS = 60_000;
/** Milliseconds for a removal: it is killed first. */
const REMOVE_MS = 30_000;
/** Further tries, and milliseconds between them, while it is being removed already. */
const REMOVALS = 20;
const REMOVAL_MS = 250;
/** Lines, characters and octets of the log. */
const LOG = { lines: 20, characters: 4_000, octets: 1 << 20 } as const;

export function connectCreation(options: EngineOptions): DockerCreation {
  const engine = connectEngine(options);
  return {
    async create(name, body) {
      const request = {
        method: "POST",
        path: "/containers/create",
        query: { name },
        body,
        success: [201],
      } as const;
      // not twice: the second would find the name in use
      const made = await engine.ask(request, readDocument, { deadline: CREATE_MS }).catch(orNone(409));
      if (made === undefined) return undefined;
      const id = string(record(made).Id);
      if (!isContainerId(id)) throw dockerError(options, new Error("its answer holds no id"), null, request);
      return id;
    },
    async connect(id, network) {
      const path = `/networks/${encodeURIComponent(network)}/connect`;
      await engine.ask({ method: "POST", path, body: { Container: id } }, discard);
    },
    async remove(id) {
      const path = `/containers/${checked(id)}`;
      const request = { method: "DELETE", path, query: { force: true, v: true }, success: [204] } as const;
      for (let triesLeft = REMOVALS; ; triesLeft--) {
        try {
          await engine.ask(request, discard, { deadline: REMOVE_MS, again: true }).catch(orNone(404));
          return;
        } catch (error) {
          // another removal of it is in progress
          if (triesLeft === 0) throw error;
          orNone(409)(error);
          await sleep(REMOVAL_MS);
        }
      }
    },
    async labelled(name, key, value) {
      const filters = JSON.stringify({ label: [`${key}=${value}`] });
      const request = { path: "/containers/json", query: { all: true, filters } };
      const wanted = { Id: true, Names: true, Labels: { [key]: true } } as const;
      const items = await engine.ask(request, (body) => readList(body, wanted), { again: true });
      const found = records(items.map((item) => item.value)).find(
        ({ Names, Labels }) =>
          Array.isArray(Names) && Names.includes(`/${name}`) && record(Labels)[key] === value,
      );
      const id = string(found?.Id);
      return isContainerId(id) ? id : undefined;
    },
    async logs(id) {
      const kept = tail(LOG.characters);
      const path = `/containers/${checked(id)}`;
      try {
        const about = record(await engine.ask({ path: `${path}/json` }, readDocument));
        const query = { stdout: true, stderr: true, tail: LOG.lines };
        const isTerminal = record(about.Config).Tty === true;
        await engine.ask({ path: `${path}/logs`, query }, (body) => read(body, isTerminal, kept));
      } catch {
        // a log driver that gives nothing back; what was read before stays
      }
      return kept.text();
    },
  };
}

const NEVER = new AbortController().signal;

/** A container with a terminal has one stream, without frames. */
async function read(body: Readable, isTerminal: boolean, kept: Tail): Promise<void> {
  const text = lines(kept.add);
  let octets = 0;
  const take = (part: Buffer): void => {
    octets += part.length;
    if (octets > LOG.octets) throw new HostError("docker", "its log is too large");
    text.push(part);
  };
  try {
    if (isTerminal) for await (const part of body as AsyncIterable<Buffer>) take(part);
    else
      await readFrames(
        body,
        ({ octets: part }) => take(part),
        NEVER,
        (error) => error as Error,
      );
  } finally {
    text.end();
  }
}

/** Ids go into API paths. */
function checked(id: string): string {
  if (!isContainerId(id)) throw new HostError("docker", "no container id");
  return id;
}

async function discard(body: Readable): Promise<void> {
  for await (const _ of body) {
    // only its end counts
  }
}
