/**
 * The request that creates the container of `ocdd try`: what Docker says of the container that it is to be like, without what must
 * exist once. Docker's answer is read field by field; a field that is not named here is not taken over.
 */
import { normalPath, type TryMount, withVariables } from "./try.ts";
import { tryLabels } from "./try-labels.ts";

type Json = Readonly<Record<string, unknown>>;

export interface TryWish {
  readonly name: string;
  /** With absolute sources. */
  readonly mounts: readonly TryMount[];
  /** `NAME=value`. */
  readonly environment: readonly string[];
  /** Of the image, which Docker gives to each of its containers. */
  readonly imageLabels: ReadonlyMap<string, string>;
}

export interface TryRequest {
  /** Of `POST /containers/create`. */
  readonly body: Json;
  /** Networks to join before the start, beside the first. */
  readonly networks: readonly string[];
}

/** What is the same in both, of the container's configuration. */
const CONFIG = [
  "User",
  "WorkingDir",
  "Tty",
  "OpenStdin",
  "StopSignal",
  "StopTimeout",
  "Healthcheck",
  "ExposedPorts",
  "Shell",
] as const;

/** The same of the host's part: mounts, rights, name resolution, limits. */
const HOST = [
  ...["VolumeDriver", "VolumesFrom"],
  ...["CapAdd", "CapDrop", "Privileged", "SecurityOpt", "MaskedPaths", "ReadonlyPaths", "ReadonlyRootfs"],
  ...[
    "GroupAdd",
    "UsernsMode",
    "IpcMode",
    "PidMode",
    "UTSMode",
    "CgroupnsMode",
    "Sysctls",
    "Runtime",
    "Init",
  ],
  ...["Dns", "DnsOptions", "DnsSearch", "ExtraHosts"],
  ...["Devices", "DeviceCgroupRules", "DeviceRequests", "ShmSize", "StorageOpt", "Ulimits", "PidsLimit"],
  ...["Memory", "MemoryReservation", "MemorySwap", "MemorySwappiness", "OomKillDisable", "OomScoreAdj"],
  ...["NanoCpus", "CpuShares", "CpuPeriod", "CpuQuota", "CpuRealtimePeriod", "CpuRealtimeRuntime"],
  ...["CpusetCpus", "CpusetMems", "CgroupParent", "BlkioWeight", "BlkioWeightDevice"],
  ...["BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"],
];

/** Networks in which no second container has an address of its own. */
const SHARED: readonly (readonly [RegExp, string])[] = [
  [/^host$/, "it is on the host's network, where two containers have one address"],
  [/^container:/, "it shares the network of another container, and would have no address of its own"],
  [/^none$/, "it is on no network, and would have no address"],
];

/** For a container like another one, by Docker's answer to `GET /containers/{id}/json`. */
export function requestLike(inspected: unknown, wish: TryWish): TryRequest | { readonly problem: string } {
  const item = record(inspected);
  const [config, host] = [record(item.Config), record(item.HostConfig)];
  const mode = text(host.NetworkMode) || "default";
  const shared = SHARED.find(([form]) => form.test(mode));
  if (shared !== undefined) return { problem: shared[1] };
  const image = text(item.Image);
  if (image === "") return { problem: "Docker does not say which image it has" };
  const labels = new Map(
    Object.entries(record(config.Labels)).filter(
      (one): one is [string, string] => typeof one[1] === "string",
    ),
  );
  const mounts = mountsOf(config, host, wish.mounts);
  const entrypoint = texts(config.Entrypoint);
  const body = {
    ...common(image, labels, wish, texts(config.Env)),
    ...picked(config, CONFIG),
    // one empty text has Docker leave out the image's
    Entrypoint: entrypoint.length > 0 ? entrypoint : [""],
    Cmd: texts(config.Cmd),
    Volumes: mounts.volumes,
    HostConfig: { ...picked(host, HOST), ...mounts.host, NetworkMode: mode },
  };
  return { body, networks: furtherNetworks(item, mode) };
}

/** For a container of an image, by the image's id. */
export function requestOf(imageId: string, wish: TryWish): TryRequest {
  const { host } = mountsOf({}, {}, wish.mounts);
  return { body: { ...common(imageId, new Map(), wish, []), HostConfig: host }, networks: [] };
}

const common = (
  image: string,
  labels: ReadonlyMap<string, string>,
  wish: TryWish,
  environment: readonly string[],
): Json => ({
  Image: image,
  Env: withVariables(environment, wish.environment),
  Labels: tryLabels(wish.name, labels, wish.imageLabels),
});

/** Mounts, those of the command line in place of others with the same destination. */
function mountsOf(
  config: Json,
  host: Json,
  wanted: readonly TryMount[],
): { readonly host: Json; readonly volumes: Json } {
  const replaced = new Set(wanted.map(({ destination }) => destination));
  const isKept = (destination: string): boolean => !replaced.has(normalPath(destination));
  const ofKeys = (value: unknown): Json =>
    Object.fromEntries(Object.entries(record(value)).filter(([destination]) => isKept(destination)));
  const mounts = Array.isArray(host.Mounts) ? host.Mounts.map(record) : [];
  const added = wanted.map(({ source, destination, readOnly }) => ({
    Type: "bind",
    Source: source,
    Target: destination,
    ReadOnly: readOnly,
  }));
  return {
    host: {
      Binds: texts(host.Binds).filter((bind) => isKept(bind.split(":")[1] ?? bind)),
      Mounts: [...mounts.filter(({ Target }) => isKept(text(Target))), ...added],
      Tmpfs: ofKeys(host.Tmpfs),
    },
    volumes: ofKeys(config.Volumes),
  };
}

/** The networks it is in beside that of its mode, without their static addresses and further names. */
function furtherNetworks(item: Json, mode: string): string[] {
  const first = mode === "default" ? "bridge" : mode;
  const all = Object.entries(record(record(item.NetworkSettings).Networks));
  return all.flatMap(([name, settings]) => {
    const id = text(record(settings).NetworkID);
    // a mode may be the network's id, or the beginning of it
    return name === first || (first.length >= 12 && id.startsWith(first)) ? [] : [name];
  });
}

/** Fields that Docker has a value for. */
const picked = (from: Json, keys: readonly string[]): Json =>
  Object.fromEntries(keys.flatMap((key) => (from[key] == null ? [] : [[key, from[key]]])));

const record = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
