/** The zone file's data types: its records, and what it holds beside them. */
import type { Ipv4 } from "../addresses/ipv4.ts";

/** An A record, its owner relative to the zone (`@` is the apex). */
export interface AddressRecord {
  readonly owner: string;
  readonly address: Ipv4;
}

/** An SRV record (RFC 2782), its owner and target relative to the zone. */
export interface SrvRecord {
  readonly owner: string;
  readonly port: number;
  readonly target: string;
}

/** A record of OCDD's own in a zone file, its owner relative to the zone. */
export interface OwnRecord {
  readonly owner: string;
  readonly type: "A" | "SRV";
  readonly rdata: string;
}

/** The zone file: its records of OCDD's own, and the document that holds them beside what was written by hand. */
export interface ZoneFile {
  /** Of the SOA record; 0 when there is none. */
  readonly serial: number;
  readonly records: readonly OwnRecord[];
  /** Octets, one a character; empty when there is no file. */
  readonly text: string;
}

/** The part of an existing zone file that is not OCDD's. */
export interface ZoneOnDisk {
  /** SOA serial; 0 when there is none. */
  readonly serial: number;
  /** Hand-written lines, verbatim except for those that the zone cannot hold. */
  readonly handwritten: string;
  /** Owners (relative, lower case) that no container may have, with the type of the record there. */
  readonly owners: ReadonlyMap<string, string>;
  /** Hand-written A records, relative to the zone. */
  readonly addresses: readonly AddressRecord[];
  readonly warnings: readonly string[];
  /** Records marked as OCDD's, except SOA and NS. */
  readonly records: readonly OwnRecord[];
  /** TTL in seconds of the records written by hand, by relative owner and type (`@ NS`): that of the first one. */
  readonly ttls: ReadonlyMap<string, number>;
  /** Name servers of the zone, written by hand, whose names have no record by hand; relative to the zone. */
  readonly nameServers: readonly string[];
  /** The file, octets as characters; empty when there is none. */
  readonly text: string;
  /** Why it is not written over: it is not OCDD's, nor records of this zone; null where it may be. */
  readonly foreign: string | null;
}

/** What the judge has to know of the zone; owners are relative to it. */
export interface JudgedZone {
  readonly zone: string;
  readonly hostName: string;
  /** Those of the director's records that every run writes, each with an address. */
  readonly ours: readonly string[];
}
