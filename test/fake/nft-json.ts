/** Parts of an nftables ruleset as `nft -j` prints them, from the text that they were written with. */

/** The subnets of the masquerade: a rule each. */
export function subnetsJson(family: string, text: string): unknown[] {
  return [...text.matchAll(/^\t\tip saddr (\S+) ip daddr \S+ .* masquerade$/gm)].map(([, net = ""]) => ({
    rule: { family, chain: "postrouting", expr: [match("ip", "saddr", "==", addressJson(net))] },
  }));
}

/** The set `pool`. */
export function poolJson(family: string, text: string): unknown[] {
  const elements = /^\tset pool \{[^}]*elements = \{ (.*) \}$/m.exec(text)?.[1];
  const one = (element: string): unknown => (element.includes("-") ? { range: element.split("-") } : element);
  return elements === undefined
    ? []
    : [{ set: { family, name: "pool", elem: elements.split(", ").map(one) } }];
}

/** An element of a set that changes. */
export function elementJson(element: string): unknown {
  const pair = /^(0x\w+) \. "(.*)"$/.exec(element);
  if (pair !== null) return { concat: [Number(pair[1]), pair[2]] };
  const [key, value] = element.split(" : ");
  if (value !== undefined)
    return [key, value.startsWith("goto ") ? { goto: { target: value.slice("goto ".length) } } : value];
  const [val, comment] = element.split(" comment ");
  return comment === undefined ? val : { elem: { val, comment: comment.slice(1, -1) } };
}

/** A chain and its rules. */
export function chainJson(family: string, name: string, rules: readonly string[]): unknown[] {
  return [
    { chain: { family, name } },
    ...rules.map((rule) => ({ rule: { family, chain: name, expr: ruleJson(rule) } })),
  ];
}

const RULE = /^(?:(ip|tcp|udp|sctp) (saddr|dport) (!= )?(\{ .* \}|\S+) )?dnat to ([\d.]+)(?::(\d+))?$/;

/** A rule of an alias's chain; throws at any other. */
function ruleJson(rule: string): unknown[] {
  const found = RULE.exec(rule);
  if (found === null) throw new Error(`a rule that the fake does not know: ${rule}`);
  const [, protocol, field = "", not, values = "", addr, port] = found;
  const dnat = { dnat: { addr, ...(port === undefined ? {} : { port: Number(port) }) } };
  if (protocol === undefined) return [dnat];
  const one = (value: string): unknown => (field === "dport" ? Number(value) : addressJson(value));
  const list = values.replace(/^\{ | \}$/g, "").split(", ");
  const right = values.startsWith("{") ? { set: list.map(one) } : one(values);
  return [match(protocol, field, not === undefined ? "==" : "!=", right), dnat];
}

const match = (protocol: string, field: string, op: string, right: unknown): unknown => ({
  match: { op, left: { payload: { protocol, field } }, right },
});

function addressJson(text: string): unknown {
  const [addr, len] = text.split("/");
  return len === undefined ? addr : { prefix: { addr, len: Number(len) } };
}
