/** Four octets of a dotted quad, strictly: no leading zeros, no missing parts; undefined when it is not one. */
export function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || parts.some((part) => !/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255)) {
    return undefined;
  }
  return Uint8Array.from(parts, Number);
}

/** Sixteen octets of an IPv6 address (RFC 4291 §2.2), undefined when it is not one. */
export function parseIpv6(text: string): Uint8Array | undefined {
  let groups = text;
  const quad = /^(.*:)([0-9.]+\.[0-9.]+)$/.exec(text);
  if (quad) {
    const v4 = parseIpv4(quad[2] as string);
    if (v4 === undefined) return undefined;
    const view = new DataView(v4.buffer);
    groups = `${quad[1]}${view.getUint16(0).toString(16)}:${view.getUint16(2).toString(16)}`;
  }
  const halves = groups.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === "" ? [] : half.split(":"))) as [string[], string[]?];
  const all = [...head, ...(tail ?? [])];
  if (all.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  if (tail === undefined ? all.length !== 8 : all.length > 7) return undefined;
  const filled = tail === undefined ? head : [...head, ...Array(8 - all.length).fill("0"), ...tail];
  const octets = new Uint8Array(16);
  filled.forEach((group, i) => {
    const value = Number.parseInt(group, 16);
    octets[2 * i] = value >>> 8;
    octets[2 * i + 1] = value;
  });
  return octets;
}

/** Canonical text of an IPv6 address (RFC 5952 §4). */
export function formatIpv6(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((octets[2 * i] as number) << 8) | (octets[2 * i + 1] as number)).toString(16),
  );
  let best = { at: -1, size: 1 };
  for (let at = 0; at < 8; at++) {
    let size = 0;
    while (groups[at + size] === "0") size++;
    if (size > best.size) best = { at, size };
  }
  if (best.at < 0) return groups.join(":");
  return `${groups.slice(0, best.at).join(":")}::${groups.slice(best.at + best.size).join(":")}`;
}
