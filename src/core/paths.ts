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
  const site = parentOf(indexFile).replace(/\/$/, "");
  return { ...stored, services: `${site}/services.json`, lastRun: `${site}/last-run` };
}

/** Ends the name of a file with new content. */
const NEW = ".ocdd-new";

/**
 * Where the new content of a file is until it takes the file's place, whatever was there. Zone, page and configuration lie in directories
 * of the operator's, where a name as `index.html.new` may be in use for a draft.
 */
export const newOf = (file: string): string => file.replace(/[^/]*$/, (name) => `.${name}${NEW}`);

/** The name of the file that a name is the temporary one of; the name itself where it is none. */
export const withoutNew = (name: string): string =>
  name.startsWith(".") && name.endsWith(NEW) ? name.slice(1, -NEW.length) : name;

/** What killed runs of OCDD 2.0.0 may have left, in STORAGE_DIR only, which is OCDD's alone. */
export function leftBefore(settings: PathSettings): string[] {
  const { services, lastRun, methods, tries, ...files } = pathsOf(settings);
  return [...Object.values(files), previousOf(files.leases)].map((file) => `${file}.new`);
}

/** The version of a file before. */
export const previousOf = (file: string): string => `${file}.previous`;

/** What becomes the version before. */
export const keptOf = (file: string): string => `${file}.kept`;

/** The files that the configuration names. */
export interface Outputs extends PathSettings {
  readonly zoneFile: string;
}

/** Every file and directory that OCDD keeps for itself, also for a moment. */
export function ownPaths(settings: Outputs): string[] {
  const { zoneFile, indexFile } = settings;
  const paths = pathsOf(settings);
  const { leases, events, self } = paths;
  const closed = parentOf(parentOf(self));
  const files = [...Object.values(paths), closed, previousOf(leases), keptOf(leases), previousOf(events)];
  return [...files, ...[...files, zoneFile, indexFile].map(newOf)];
}

/** Why the files that the configuration names cannot be where it says, by their keys: each must be a file that nothing else is. */
export function outputClashes(
  settings: Outputs,
): { readonly key: "DNS_ZONE_FILE" | "WEB_INDEX_FILE"; readonly message: string }[] {
  const { zoneFile, indexFile } = settings;
  if (collide(normal(indexFile), normal(zoneFile))) {
    const as =
      normal(indexFile) === normal(zoneFile) ? "as DNS_ZONE_FILE is" : `and DNS_ZONE_FILE is ${zoneFile}`;
    return [{ key: "WEB_INDEX_FILE", message: `is ${indexFile}, ${as}; they must be two files` }];
  }
  const own = ownPaths(settings).map(normal);
  const outputs = [
    { key: "DNS_ZONE_FILE", path: zoneFile },
    { key: "WEB_INDEX_FILE", path: indexFile },
  ] as const;
  return outputs
    .filter(({ path }) => own.some((one) => collide(one, normal(path))))
    .map(({ key, path }) => ({ key, message: `is ${path}, which OCDD keeps for itself` }));
}

/** Whether two paths in normal form cannot both be files: they are one, or one lies in the other. */
function collide(a: string, b: string): boolean {
  const inside = (path: string, directory: string): boolean =>
    path.startsWith(directory === "/" ? "/" : `${directory}/`);
  return a === b || inside(a, b) || inside(b, a);
}

/** An absolute path without `//`, `.` and `..`; symbolic links are not followed. */
export function normal(path: string): string {
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
