/**
 * The data path as nftables tables: the constant part, which follows from the frame alone. What changes with the
 * containers is elements of its sets (nft-elements.ts) and a chain per alias with a policy (nft-chains.ts).
 *
 * A packet to an alias carries the alias as its mark, in the original direction only, from the end of POSTROUTING to the
 * last hook of the bridge, and leaves the bridge only through the port in `bridge-ports`. The key is the alias and not the
 * container's address: a tracked flow of an earlier container does not reach the next one with that address.
 */
import { addressesOf, type Ipv4, mergeRanges, type Range, toNumber } from "../addresses/ipv4.ts";
import { type Forward, type Frame, subnetCidrs } from "./forward.ts";
import { renderChains } from "./nft-chains.ts";
import { elementsOf, type Mode, renderElements } from "./nft-elements.ts";
import { TABLE } from "./nft-table-name.ts";

/** What the tables do, depending on the rest of the host's rules. */
export interface NftStyle {
  readonly mode: Mode;
  /** Docker filters with nftables and accepts by mark (its bridge-accept-fwmark): the mark is set before its filter too. */
  readonly markEarly: boolean;
  /** The network's device, where packets that come by it and would leave by it are none that a bridge passes on. */
  readonly device?: string | undefined;
  /** Packets wait in iptables, which leads those for port 80 to the page of the service that waits, and judges them. */
  readonly waits?: boolean;
}

/** Name of the chain whose comment holds the stamp of the constant part. */
export const STAMP = "written";

/** An alias as a packet mark: its own 32 bits, so that a changed pool changes no mark. */
export const markOf = (alias: Ipv4): string => `0x${toNumber(alias).toString(16).padStart(8, "0")}`;

/** nft input that replaces both tables in one transaction: the constant part alone, nothing in force. */
export function renderTables(frame: Frame, style: NftStyle): string {
  return renderRemoval() + renderBoth(frame, style, TABLE);
}

/** nft input that replaces both tables, forwards included, in one transaction: no packet passes a half of it. */
export function renderAll(frame: Frame, forwards: readonly Forward[], style: NftStyle): string {
  return [
    renderTables(frame, style),
    style.mode === "full" ? renderChains(forwards) : "",
    renderElements("add", elementsOf(forwards, style.mode)),
  ].join("");
}

/** nft input that removes both tables, whether or not they exist: `destroy` is not known before nft 1.0.7. */
export function renderRemoval(): string {
  return FAMILIES.map((family) => `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\n`).join("");
}

/** nft input that creates tables of another name and removes them in one transaction: it is refused when OCDD's would be. */
export function renderTrial(style: NftStyle): string {
  const one = { first: TRIAL_ADDRESS, last: TRIAL_ADDRESS };
  const name = `${TABLE}-trial`;
  const removal = FAMILIES.map((family) => `delete table ${family} ${name}\n`);
  return [renderBoth({ pool: [one], subnets: [one] }, style, name), ...removal].join("");
}

const FAMILIES = ["ip", "bridge"] as const;
/** RFC 5737. */
const TRIAL_ADDRESS = "192.0.2.1" as Ipv4;

const renderBoth = (frame: Frame, style: NftStyle, name: string): string =>
  renderIp(frame, style, name) + renderBridge(frame, name);

/** nft input that leaves `stamp` in the kernel. */
export function renderStamp(stamp: string): string {
  return `flush chain ip ${TABLE} ${STAMP}\nadd rule ip ${TABLE} ${STAMP} return comment "${stamp.replace(/[^0-9a-z]/g, "")}"\n`;
}

const set = (name: string, type: string, elements?: string): string =>
  elements === undefined
    ? `\tset ${name} {\n\t\ttype ${type}\n\t}\n`
    : `\tset ${name} {\n\t\ttype ${type}\n\t\tflags interval\n\t\telements = { ${elements} }\n\t}\n`;

const map = (name: string, type: string, elements = ""): string =>
  `\tmap ${name} {\n\t\ttype ${type}\n${elements === "" ? "" : `\t\telements = { ${elements} }\n`}\t}\n`;

function chain(name: string, hook: string, rules: readonly string[]): string {
  const base = hook === "" ? [] : [`type ${hook}; policy accept;`];
  return `\tchain ${name} {\n${[...base, ...rules].map((line) => `\t\t${line}\n`).join("")}\t}\n`;
}

/** Of a flow that was opened to an alias which no container holds. */
const STALE = "ct status dnat ct original ip daddr @pool ct original ip daddr != @leased counter";

function renderIp(frame: Frame, style: NftStyle, name: string): string {
  const { mode, markEarly, device } = style;
  const pool = mergeRanges(frame.pool);
  const marks = pool.flatMap((range) =>
    [...addressesOf(range)].map((alias) => `${alias} : ${markOf(alias)}`),
  );
  const full = mode === "full";
  return [
    `table ip ${name} {\n`,
    set("pool", "ipv4_addr", ranges(pool, String)),
    // kernel 5.10 refuses a map as the right side of a lookup: hence a set beside `targets`
    set("leased", "ipv4_addr"),
    map("marks", "ipv4_addr : mark", marks.join(", ")),
    full ? map("targets", "ipv4_addr : ipv4_addr") + map("policies", "ipv4_addr : verdict") : "",
    chain(STAMP, "", []),
    chain("mark-alias", "", [
      "ct direction original ct status dnat meta mark set ct original ip daddr map @marks",
    ]),
    markEarly ? chain("early-mark", "filter hook forward priority -5", ["jump mark-alias"]) : "",
    // br_netfilter asks the bridge family before POSTROUTING
    chain("forward-mark", "filter hook forward priority 300", ["jump mark-alias"]),
    // after all other rules that mark packets
    chain("postrouting-mark", "filter hook postrouting priority 400", ["jump mark-alias"]),
    chain("stale", "filter hook forward priority -10", [
      `${STALE} reject with icmp type port-unreachable`,
      // a neighbour that still sends an alias's packets here after its end: it is told at once, and does not wait
      ...(device === undefined
        ? []
        : [`iifname "${device}" oifname "${device}" ip daddr @pool jump refused`]),
    ]),
    // connections of the host itself are not forwarded; a refusal that it sends is of the flow's other direction
    chain("stale-output", "filter hook output priority -10", [
      `ct direction original meta l4proto tcp ${STALE} reject with tcp reset`,
      `ct direction original ${STALE} reject with icmp type port-unreachable`,
    ]),
    full ? renderRedirect(frame) : "",
    renderRefusal(style),
    "}\n",
  ].join("");
}

function renderRedirect(frame: Frame): string {
  const redirect = ["ip daddr vmap @policies", "dnat to ip daddr map @targets"];
  return [
    // before Docker's -100: the first chain that sets up the translation of a flow decides
    chain("prerouting", "nat hook prerouting priority -110", redirect),
    chain("output", "nat hook output priority -110", redirect),
    chain(
      "postrouting",
      "nat hook postrouting priority 90",
      subnetCidrs(frame).map(
        (net) => `ip saddr ${net} ip daddr ${net} ct status dnat ct original ip daddr @pool masquerade`,
      ),
    ),
  ].join("");
}

/**
 * No service of the host answers on an alias. Where iptables redirects, it refuses as well: then this chain, which comes after
 * its filter, is for the time after another program has removed those rules, when nothing is redirected any more.
 */
function renderRefusal({ mode, waits }: NftStyle): string {
  return [
    // answers to the host's own connections through an alias come back to the alias
    chain("refused", "", [
      "ct direction reply accept",
      "meta l4proto tcp reject with tcp reset",
      "reject with icmp type port-unreachable",
    ]),
    mode === "guard"
      ? // what iptables has redirected to the host is judged there: the page of services that wait
        chain("input", "filter hook input priority 10", [
          "ct status dnat accept",
          "ip daddr @pool jump refused",
        ])
      : chain("input", "filter hook input priority -10", [
          ...(waits === true
            ? ["ip daddr @pool tcp dport != 80 ct status dnat ct original proto-dst 80 accept"]
            : []),
          // also connections that are redirected to an address of the host
          "ip daddr @pool jump refused",
          "ct status dnat ct original ip daddr @pool jump refused",
        ]),
  ].join("");
}

function renderBridge(frame: Frame, name: string): string {
  return [
    `table bridge ${name} {\n`,
    set("aliases", "mark", ranges(mergeRanges(frame.pool), markOf)),
    set("bridge-ports", "mark . ifname"),
    chain("guard", "filter hook postrouting priority 0", [
      "meta mark 0 accept",
      "meta mark . meta oifname @bridge-ports accept",
      "meta mark @aliases counter drop",
    ]),
    "}\n",
  ].join("");
}

function ranges(list: readonly Range[], print: (address: Ipv4) => string): string {
  return list
    .map(({ first, last }) => (first === last ? print(first) : `${print(first)}-${print(last)}`))
    .join(", ");
}
