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
  /** Held by `watch` as long as it runs. */
  readonly watchLock: string;
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
  /** The last result of each container's methods. */
  readonly results: string;
  /** Directory of locks: one for each method that has been run. */
  readonly methods: string;
  /** Directory of the containers that `ocdd try` has created, a file each. */
  readonly tries: string;
  /** Clean-up that a run still has to do; exists only during a run, or after it was killed. */
  readonly cleanup: string;
  /** What each container is told of itself; in a directory that only root and `serve` can enter. */
  readonly self: string;
  /** The page's content for programs, beside the page. */
  readonly services: string;
  /** Its modification time is that of the last successful run; beside the page. */
  readonly lastRun: string;
}

const IN_STORAGE = {
  leases: "leases.json",
  lock: "ocdd.lock",
  watchLock: "watch.lock",
  addressList: "iplist.txt",
  history: "history.json",
  watchStats: "watch.json",
  failures: "failures.json",
  events: "events.jsonl",
  results: "methods.json",
  methods: "methods",
  tries: "tries",
  cleanup: "owed",
  self: "private/serve/self.json",
} as const;

/** Absolute paths. */
export function pathsOf({ storageDir, indexFile }: PathSettings): Paths {
  const stored = Object.fromEntries(
    Object.entries(IN_STORAGE).map(([key, name]) => [key, `${storageDir}/${name}`]),
  ) as Record<keyof typeof IN_STORAGE, string>;
  const site = parentOf(indexFile);
  return { ...stored, services: `${site}/services.json`, lastRun: `${site}/last-run` };
}

/** Whether a path that the configuration gives is one of the files OCDD keeps for itself, or of one while it is written. */
export function isReserved(path: string, settings: PathSettings): boolean {
  const kept = pathsOf(settings);
  const files = [...Object.values(kept), `${kept.leases}.previous`, `${kept.events}.previous`];
  const temporary = [...files, settings.indexFile].map((file) => `${file}.new`);
  return [...files, ...temporary].some((file) => normal(file) === normal(path));
}

/** An absolute path without `//`, `.` and `..`; symbolic links are not followed. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** The directory that holds a file. */
export function parentOf(path: string): string {
  return path.replace(/\/[^/]*$/, "") || "/";
}
