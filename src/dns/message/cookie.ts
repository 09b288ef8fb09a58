/** Server cookies (RFC 7873, RFC 9018). */
import { read32 } from "../wire/octets.ts";
import { siphash } from "../wire/siphash.ts";

/** Server secrets of 16 octets: the one in use first, then those still accepted (RFC 9018 §5). */
export type CookieSecrets = readonly Uint8Array[];

/** Seconds a server cookie counts as proof, and how far ahead a clock may be (RFC 9018 §4.3). */
const COOKIE_LIFETIME_S = 3600;
const COOKIE_CLOCK_SKEW_S = 300;

function hashOf(secret: Uint8Array, cookie: Uint8Array, client: Uint8Array): Uint8Array {
  // RFC 9018 §4.4: client cookie, version, reserved, timestamp, client address.
  const input = new Uint8Array(16 + client.length);
  input.set(cookie.subarray(0, 16));
  input.set(client, 16);
  return siphash(secret, input);
}

/** A COOKIE option for the answer: the client's cookie and a fresh interoperable server cookie (RFC 9018 §4). */
export function makeCookie(
  secrets: CookieSecrets,
  clientCookie: Uint8Array,
  client: Uint8Array,
  now: number,
): Uint8Array {
  const cookie = new Uint8Array(24);
  cookie.set(clientCookie.subarray(0, 8));
  cookie[8] = 1;
  new DataView(cookie.buffer).setUint32(12, now);
  cookie.set(hashOf(secrets[0] as Uint8Array, cookie, client), 16);
  return cookie;
}

/** True for a cookie that this server gave to this client within the lifetime: its address is not forged. */
export function isOurCookie(
  secrets: CookieSecrets,
  cookie: Uint8Array,
  client: Uint8Array,
  now: number,
): boolean {
  if (cookie.length !== 24 || cookie[8] !== 1) return false;
  const age = (now - read32(cookie, 12)) | 0;
  if (age > COOKIE_LIFETIME_S || age < -COOKIE_CLOCK_SKEW_S) return false;
  return secrets.some((secret) => {
    const want = hashOf(secret, cookie, client);
    let differs = 0;
    for (let i = 0; i < 8; i++) differs |= (want[i] as number) ^ (cookie[16 + i] as number);
    return differs === 0;
  });
}
