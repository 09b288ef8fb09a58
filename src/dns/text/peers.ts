/** Items of DNS_ALLOW_TRANSFER and DNS_NOTIFY: the one reader that both the configuration and the server use. */
import { parseIpv4, parseIpv6 } from "../wire/address.ts";

/** A network, or the name of a TSIG key, that may transfer. */
export type TransferPeer =
  | { readonly kind: "network"; readonly address: string; readonly prefix: number; readonly ipv6: boolean }
  | { readonly kind: "key"; readonly name: string };

/** A secondary that is notified of changes. */
export interface NotifyTarget {
  readonly address: string;
  readonly port: number;
  /** Name of the TSIG key to sign with. */
  readonly key: string | undefined;
}

const KEY = /^key:([A-Za-z0-9._-]{1,253})$/;

/** Bits of an address of either family; undefined when it is none. */
function bitsOf(address: string): 32 | 128 | undefined {
  if (parseIpv4(address) !== undefined) return 32;
  return parseIpv6(address) === undefined ? undefined : 128;
}

function number(text: string, least: number, most: number): number | undefined {
  const value = /^(0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** `192.0.2.0/24`, `2001:db8::1` or `key:NAME`; undefined when the item is none of these. */
export function parseTransferPeer(item: string): TransferPeer | undefined {
  const key = KEY.exec(item)?.[1];
  if (key !== undefined) return { kind: "key", name: key };
  const [address = "", prefixText, more] = item.split("/");
  const bits = bitsOf(address);
  if (bits === undefined || more !== undefined) return undefined;
  const prefix = prefixText === undefined ? bits : number(prefixText, 0, bits);
  return prefix === undefined ? undefined : { kind: "network", address, prefix, ipv6: bits === 128 };
}

/** `192.0.2.53`, `2001:db8::53@5353` or `192.0.2.53 key:NAME`; undefined when the item is none of these. */
export function parseNotifyTarget(item: string): NotifyTarget | undefined {
  const [place = "", keyText, ...more] = item.trim().split(/\s+/);
  const [address = "", portText = "53", second] = place.split("@");
  const key = keyText === undefined ? undefined : KEY.exec(keyText)?.[1];
  const port = number(portText, 1, 65_535);
  const sound = bitsOf(address) !== undefined && second === undefined && more.length === 0;
  if (!sound || port === undefined || (keyText !== undefined && key === undefined)) return undefined;
  return { address, port, key };
}
