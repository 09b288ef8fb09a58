/** The leases on disk: with a checksum, and the previous file kept beside it. */
import { createHash } from "node:crypto";
import { link, rename, unlink } from "node:fs/promises";
import { type Ipv4, parseIpv4 } from "../../core/addresses/ipv4.ts";
import { HostError } from "../../core/errors.ts";
import type { Conflict, KeyHolder, Lease, LeaseTable, NameHold } from "../../core/model.ts";
import { isMoment } from "../../core/moment.ts";
import type { LeasesRead } from "../../core/observation.ts";
import { keptOf, previousOf } from "../../core/paths.ts";
import { toName } from "../../core/services/name.ts";
import { inTime } from "./deadline.ts";
import { destinationOf } from "./destination.ts";
import { PRIVATE, readText, storageError, writeWhole } from "./file.ts";

const VERSION = 1;

/**
 * Reads the leases file, or the previous one when it is damaged or missing. Throws HostError "storage" for one that a newer
 * version has written.
 */
export async function readLeases(path: string): Promise<LeasesRead> {
  const text = await readText(path);
  const table = text === undefined ? undefined : parse(text, path);
  if (table !== undefined) return { status: "read", table };
  const older = await readText(previousOf(path));
  const previous = older === undefined ? undefined : parse(older, path);
  if (previous !== undefined) return { status: "previous", table: previous };
  return { status: text === undefined && older === undefined ? "absent" : "unreadable" };
}

/**
 * Writes the leases, and keeps the previous file as `.previous`, unless it is damaged: at every moment there is one. With
 * "now" it is fsynced: an address is given only after that. Throws HostError "storage" where a newer version has written it.
 */
export function writeLeases(
  path: string,
  table: LeaseTable,
  durability: "now" | "later" = "now",
): Promise<void> {
  return inTime(path, () => replaceLeases(path, table, durability));
}

async function replaceLeases(path: string, table: LeaseTable, durability: "now" | "later"): Promise<void> {
  const before = await readText(path);
  if (before !== undefined && parse(before, path) !== undefined) await keep(path, before, durability);
  const canonical = inOrder(table);
  const document = {
    schemaVersion: VERSION,
    checksum: checksum(canonical),
    ...canonical,
    ...laterFields(table),
  };
  await writeWhole(path, `${JSON.stringify(document, null, 1)}\n`, { durability });
}

/** Keeps the file, with this text, as the one before. */
async function keep(path: string, text: string, durability: "now" | "later"): Promise<void> {
  const kept = keptOf(path);
  try {
    await unlink(kept).catch(() => undefined);
    // a link to a symbolic link would lead to the new file
    const { path: target } = await destinationOf(path, PRIVATE);
    await link(target, kept);
    await rename(kept, previousOf(path));
  } catch (error) {
    if (!NO_LINK.has((error as NodeJS.ErrnoException).code ?? "")) throw storageError(path, "keep", error);
    await writeWhole(previousOf(path), text, { durability });
  }
}

/** Errors of link(2) where the target is on another file system, or that has no hard links. */
const NO_LINK = new Set(["EXDEV", "EPERM", "EOPNOTSUPP", "EMLINK"]);

/** The table as it is in the file, but for what has a checksum of its own. */
type Stored = Omit<LeaseTable, "nameHolds" | "holders"> & {
  readonly nameHolds?: readonly Omit<NameHold, "since">[];
};

/** Fields that earlier versions do not know, with a checksum of their own: they read the file, and leave these out. */
interface Later {
  readonly holders: readonly KeyHolder[];
  /** `since` of each of the names kept for services that have no lease; null where it is not known. */
  readonly nameHoldsSince: readonly (number | null)[];
}

function laterFields({ holders, nameHolds }: LeaseTable): Record<string, unknown> {
  const later: Later = {
    holders: holders.map(({ key, name, since, releasedAt }) => ({ key, name, since, releasedAt })),
    nameHoldsSince: nameHolds.map(({ since }) => since ?? null),
  };
  if (later.holders.length + later.nameHoldsSince.length === 0) return {};
  return { ...later, laterChecksum: checksum(later) };
}

/** Throws where they are not as they were written. */
function readLater(document: Record<string, unknown>): Later {
  const { holders, nameHoldsSince, laterChecksum } = document;
  if ([holders, nameHoldsSince, laterChecksum].every((one) => one === undefined))
    return { holders: [], nameHoldsSince: [] };
  const later: Later = {
    holders: array(holders).map((value): KeyHolder => {
      const { key, name, since, releasedAt } = value as Record<string, unknown>;
      if (typeof key !== "string" || typeof name !== "string") throw new TypeError("no holder");
      if (!isMoment(since) || (releasedAt !== null && !isMoment(releasedAt)))
        throw new TypeError("no holder");
      return { key, name, since, releasedAt };
    }),
    nameHoldsSince: array(nameHoldsSince).map((since) => {
      if (since !== null && !isMoment(since)) throw new TypeError("no time");
      return since;
    }),
  };
  if (checksum(later) !== laterChecksum) throw new TypeError("damaged");
  return later;
}

/**
 * The table with its fields in the one order that the checksum is taken over, however it was made. Without names kept for
 * services that have no lease it is as earlier versions wrote it, and they can read it.
 */
function inOrder(table: LeaseTable): Stored {
  return {
    leases: table.leases.map(({ key, address, names, container, releasedAt }) => ({
      key,
      address,
      names,
      container,
      releasedAt,
    })),
    conflicts: table.conflicts.map(({ address, seenAt }) => ({ address, seenAt })),
    hairpins: table.hairpins,
    ...(table.nameHolds.length === 0 ? {} : { nameHolds: table.nameHolds.map(nameHoldInOrder) }),
  };
}

const nameHoldInOrder = ({ key, names, container, releasedAt }: NameHold): NameHold => ({
  key,
  names,
  container,
  releasedAt,
});

const sinceOf = (since: number | null | undefined): Pick<NameHold, "since"> =>
  since == null ? {} : { since };

function checksum(canonical: Stored | Later): string {
  return createHash("sha256").update(JSON.stringify(canonical)).digest("hex");
}

/** The table in the text of this file; undefined where it is damaged. Throws HostError for one of a newer version. */
function parse(text: string, path: string): LeaseTable | undefined {
  try {
    const document = JSON.parse(text) as Record<string, unknown>;
    const { schemaVersion } = document;
    if (typeof schemaVersion === "number" && schemaVersion > VERSION) throw newer(path);
    if (schemaVersion !== VERSION) return undefined;
    const { holders, nameHoldsSince } = readLater(document);
    const table = {
      leases: array(document.leases).map(readLease),
      conflicts: array(document.conflicts).map(readConflict),
      hairpins: array(document.hairpins).filter((port) => typeof port === "string"),
      nameHolds: array(document.nameHolds ?? [])
        .map(readKept)
        .map((kept, i): NameHold => ({ ...kept, ...sinceOf(nameHoldsSince[i]) })),
      holders,
    };
    return checksum(inOrder(table)) === document.checksum ? table : undefined;
  } catch (error) {
    if (error instanceof HostError) throw error;
    return undefined;
  }
}

const newer = (path: string): HostError =>
  new HostError("storage", `${path} was written by a newer version of OCDD, and is not changed`, {
    remedy: `install that version again; or move ${path} and ${previousOf(path)} away: the leases are then rebuilt from the current rules`,
  });

function array(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new TypeError("no list");
  return value;
}

function address(value: unknown): Ipv4 {
  const parsed = typeof value === "string" ? parseIpv4(value) : undefined;
  if (parsed === undefined) throw new TypeError("no address");
  return parsed;
}

function readLease(value: unknown): Lease {
  const { key, names, container, releasedAt } = readKept(value);
  return { key, address: address((value as Record<string, unknown>).address), names, container, releasedAt };
}

function readKept(value: unknown): Omit<NameHold, "since"> {
  const { key, names, container, releasedAt } = value as Record<string, unknown>;
  if (typeof key !== "string" || typeof container !== "string") throw new TypeError("no lease");
  if (releasedAt !== null && !isMoment(releasedAt)) throw new TypeError("no lease");
  const granted = array(names).map((name): string => {
    if (typeof name !== "string" || !name.split(".").every((label) => toName(label) === label))
      throw new TypeError("no name");
    return name;
  });
  return { key, names: granted, container, releasedAt };
}

function readConflict(value: unknown): Conflict {
  const { address: at, seenAt } = value as Record<string, unknown>;
  if (!isMoment(seenAt)) throw new TypeError("no conflict");
  return { address: address(at), seenAt };
}
