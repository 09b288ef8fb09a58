/** What `ocdd metadata` prints of a container, and what `ocdd audit` compares. */
import { iso } from "../moment.ts";
import type { LabelMetadata, Metadata } from "./metadata.ts";
import type { Methods } from "./method.ts";

/** Texts are untrusted. */
export interface Runtime {
  /** When its container was created; seconds since the epoch. */
  readonly deployedAt: number | null;
  /** What has created it. OCDD creates none so far: `docker`. */
  readonly deployedBy: string;
  /** Why OCDD has started it last, from the event log; null where it has not. */
  readonly reason: string | null;
  readonly host: string;
  /** Its alias; null where it is not served. */
  readonly address: string | null;
  readonly image: string;
  readonly imageId: string;
  /** `NAME@sha256:...`; null for an image that no registry has. */
  readonly digest: string | null;
}

export interface DocumentInput {
  readonly name: string;
  readonly fqdn: string | null;
  readonly container: string;
  readonly ancestry: readonly Metadata[];
  readonly labels: LabelMetadata;
  readonly methods: Methods;
  readonly runtime: Runtime;
  readonly notes: readonly string[];
  /** Only where root has asked for it. */
  readonly environment: readonly string[] | null;
}

/**
 * The fields of the image's own metadata file by the names they have there, then what is known beside them. A field of the image's
 * author never takes the place of one of OCDD's.
 */
export function metadataDocument(input: DocumentInput): object {
  const { labels, methods, runtime, ancestry, environment, notes } = input;
  const own = ancestry.at(-1);
  return {
    ...fieldsOf(own),
    schemaVersion: 1,
    name: input.name,
    fqdn: input.fqdn,
    container: input.container,
    labels: Object.fromEntries(labels.oci),
    meta: Object.fromEntries(labels.meta),
    methods: Object.fromEntries(
      [...methods.found.values()].map(({ name, action, source, timeout }) => [
        name,
        { ...("argv" in action ? { command: action.argv } : { url: action.http.url }), source, timeout },
      ]),
    ),
    ancestry: ancestry.map((one) => ({ source: one.source, ...fieldsOf(one) })),
    runtime: {
      deployed_at: iso(runtime.deployedAt),
      deployed_by: runtime.deployedBy,
      reason: runtime.reason,
      host: runtime.host,
      address: runtime.address,
      image: runtime.image,
      image_id: runtime.imageId,
      digest: runtime.digest,
    },
    notes,
    ...(environment === null ? {} : { environment }),
  };
}

const fieldsOf = (one: Metadata | undefined): object => Object.fromEntries(one?.fields ?? []);

/** When the image was built, by its metadata file; else the time that Docker gives. */
export const builtAt = (ancestry: readonly Metadata[], created: number | null): number | null =>
  ancestry.at(-1)?.buildTimeStamp ?? created;
