/** Writes the zone file: a run's zone, and names withdrawn beside runs. One write after the other. */
import type { Ipv4 } from "../../core/addresses/ipv4.ts";
import type { Config } from "../../core/config/config.ts";
import { nextSerial } from "../../core/zone/records.ts";
import { isLater, numbered, withdrawn } from "../../core/zone/withdraw.ts";
import type { ZoneFile } from "../../core/zone/zone-file.ts";
import { writeWhole } from "./file.ts";

export interface ZoneWriter {
  /** Writes the desired zone, without the names of revoked aliases. `actual` is the file as the run has observed it. */
  publish(actual: ZoneFile, desired: ZoneFile): Promise<void>;
  /**
   * Takes the names of revoked aliases out of the file that `read` gives. Only for the holder of the lock: the file is
   * read and written.
   */
  withdraw(read: () => Promise<ZoneFile>): Promise<void>;
}

/** `revoked` is asked at each write. Both methods throw HostError. */
export function zoneWriter(config: Config, revoked: () => ReadonlySet<Ipv4>): ZoneWriter {
  const { zone, zoneFile } = config;
  let turn: Promise<unknown> = Promise.resolve();
  /** What `withdraw` has written since the last `publish`. */
  let since: ZoneFile | undefined;
  const inTurn = (action: () => Promise<void>): Promise<void> => {
    const done = turn.then(action);
    turn = done.catch(() => undefined);
    return done;
  };
  // visible to the server at once, synced to disk at the end of the run
  const write = ({ text }: ZoneFile, over: readonly ZoneFile[]): Promise<void> =>
    writeWhole(zoneFile, text, {
      encoding: "latin1",
      durability: "later",
      over: over.map((file) => file.text),
    });
  return {
    publish: (actual, desired) =>
      inTurn(async () => {
        const file = withdrawn(desired, zone, revoked());
        // another `ocdd` may have written the file after a run that failed
        const disk = since === undefined || isLater(actual.serial, since.serial) ? actual : since;
        if (numbered(file, disk.serial, zone).text === disk.text) return;
        const after = nextSerial(disk.serial, 0);
        await write(
          disk === actual
            ? file
            : numbered(file, isLater(after, desired.serial) ? after : desired.serial, zone),
          since === undefined ? [actual] : [actual, since],
        );
        since = undefined;
      }),
    withdraw: (read) =>
      inTurn(async () => {
        const disk = await read();
        const left = withdrawn(disk, zone, revoked());
        if (left === disk) return;
        const next = numbered(left, nextSerial(disk.serial, 0), zone);
        await write(next, [disk]);
        since = next;
      }),
  };
}
