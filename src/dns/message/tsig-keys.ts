/** TSIG keys in BIND's syntax. */
import { ZoneTextError } from "../text/error.ts";
import type { ZoneProblem } from "../text/zonefile-meaning.ts";
import { nameKey, parseName } from "../wire/name.ts";
import { TSIG_ALGORITHMS, type TsigKey } from "./tsig.ts";

/** Tokens of BIND's configuration syntax with their lines; comments of all three kinds dropped. */
function* tokensOf(text: string): Generator<{ token: string; line: number }> {
  const pattern = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|#[^\n]*|"([^"\n]*)"|[{};]|[^\s{};"]+/g;
  let line = 1;
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    line += text.slice(from, match.index).split("\n").length - 1;
    from = match.index;
    if (!/^(\/\*|\/\/|#)/.test(match[0])) yield { token: match[1] ?? match[0], line };
  }
}

/**
 * Read TSIG keys in BIND's syntax: `key "name" { algorithm hmac-sha256; secret "base64"; };`.
 * Problems never quote a secret.
 */
export function parseTsigKeys(text: string): { keys: Map<string, TsigKey>; problems: ZoneProblem[] } {
  const keys = new Map<string, TsigKey>();
  const problems: ZoneProblem[] = [];
  const tokens = [...tokensOf(text)];
  let at = 0;
  const next = () => tokens[at++]?.token ?? "";
  while (at < tokens.length) {
    const line = tokens[at]?.line ?? 1;
    const fail = (message: string) => problems.push({ line, message });
    if (next() !== "key") {
      fail('expected: key "name" { algorithm …; secret "…"; };');
      return { keys, problems };
    }
    const name = next();
    const fields = new Map<string, string>();
    if (next() !== "{") {
      fail(`key ${name}: its { is missing`);
      return { keys, problems };
    }
    while (at < tokens.length && tokens[at]?.token !== "}") {
      fields.set(next(), next());
      if (next() !== ";") {
        fail(`key ${name}: a semicolon is missing`);
        return { keys, problems };
      }
    }
    next();
    if (tokens[at]?.token === ";") at++;
    const algorithm = (fields.get("algorithm") ?? "").toLowerCase().replace(/\.$/, "");
    const secret = Buffer.from(fields.get("secret") ?? "", "base64");
    const unknown = [...fields.keys()].find((field) => field !== "algorithm" && field !== "secret");
    if (unknown !== undefined) fail(`key ${name}: ${unknown} is not known here`);
    else if (!TSIG_ALGORITHMS.includes(algorithm))
      fail(`key ${name}: algorithm is one of ${TSIG_ALGORITHMS.join(", ")}`);
    else if (secret.length < 16 || secret.toString("base64") !== fields.get("secret")) {
      fail(`key ${name}: the secret is not base64 of at least 16 octets`);
    } else {
      try {
        const wire = parseName(name);
        keys.set(nameKey(wire), { name: wire, algorithm, secret });
      } catch (error) {
        if (!(error instanceof ZoneTextError)) throw error;
        fail(`key ${error.message}`);
      }
    }
  }
  return { keys, problems };
}
