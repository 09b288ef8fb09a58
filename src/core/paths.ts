/** Every file OCDD writes beside the zone file and the index page, whose paths the configuration names. */

/** The part of the configuration that determines the paths. */
export interface PathSettings {
  readonly storageDir: string;
  readonly indexFile: string;
}

export interface Paths {
  /** The leases; the version before is kept beside it with `.previous` added. */
  readonly leases: string;
  readonly lock: string;
  /** Every address of the range, one a line. */
  readonly addressList: string;
  /** What is stored of each service for the page. */
  readonly history: string;
  /** What `watch` has done, for `ocdd status`. */
  readonly watchStats: string;
  /** Why starts of services that sleep have failed, for other commands than `watch`. */
  readonly failures: string;
  /** Each start and stop of a container with its reason, a JSON line each; the file before with `.previous` added. */
  readonly events: string;
  /** Clean-up that a run still has to do; exists only during a run, or after it was killed. */
  readonly cleanup: string;
  /** Commands for conntrack; exists only while it runs. */
  readonly conntrackBatch: string;
  /** The page's content for programs, beside the page. */
  readonly services: string;
  /** Its modification time is that of the last successful run; beside the page. */
  readonly lastRun: string;
}

const IN_STORAGE = {
  leases: "leases.json",
  lock: "ocdd.lock",
  addressList: "iplist.txt",
  history: "history.json",
  watchStats: "watch.json",
  failures: "failures.json",
  events: "events.jsonl",
  cleanup: "owed",
  conntrackBatch: "forget",
} as const;

/** Names in STORAGE_DIR that the configuration may not use for the zone file or the page. */
export const RESERVED_NAMES: readonly string[] = [
  ...Object.values(IN_STORAGE),
  "leases.json.previous",
  "events.jsonl.previous",
];

/** Absolute paths. */
export function pathsOf({ storageDir, indexFile }: PathSettings): Paths {
  const stored = Object.fromEntries(
    Object.entries(IN_STORAGE).map(([key, name]) => [key, `${storageDir}/${name}`]),
  ) as Record<keyof typeof IN_STORAGE, string>;
  const site = parentOf(indexFile);
  return { ...stored, services: `${site}/services.json`, lastRun: `${site}/last-run` };
}

/** The directory that holds a file. */
export function parentOf(path: string): string {
  return path.replace(/\/[^/]*$/, "") || "/";
}
