/** Text that others choose for their rules, and how iptables-save prints it. */
import fc from "fast-check";

/** As xtables_save_string of iptables 1.8 prints it. */
export const printed = (text: string): string =>
  /^[\w-]+$/.test(text) ? text : `"${text.replace(/["\\']/g, "\\$&")}"`;

/** As the string match prints it: a backslash is not escaped. */
export const printedPattern = (text: string): string =>
  /^[ -~]*[ -[\]-~]$/.test(text)
    ? `"${text.replace(/"/g, '\\"')}"`
    : `"|${Buffer.from(text).toString("hex")}|" `;

const PIECES = [
  "-j",
  "-g",
  "-A",
  "-d",
  "--comment",
  "--string",
  "!",
  " ",
  "\n",
  "\r",
  "\u2028",
  "\u00a0",
  '"',
  "\\",
  "'",
  " -j OCDD",
  " -j OCDD-INPUT",
  " -g OCDD-FORWARD ",
  " -j OCDD-POSTROUTING",
  " -j DOCKER ",
  " -j DOCKER-FORWARD",
  "-j DOCKER-USER",
  " -j ACCEPT",
  " -j DROP",
  "\nCOMMIT\n",
  "\n*filter\n",
  "\n-A FORWARD -j OCDD-FORWARD\n",
  "\n-A OCDD -d 192.168.122.11/32 -m comment --comment OCDD-x -j DNAT --to-destination 10.0.0.1\n",
  "\n:OCDD - [0:0]\n",
  " -d 192.168.122.11/32 -m comment --comment OCDD-x -j DNAT",
];

/** A comment, a log prefix or a string. */
export const hostile: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "")),
);

/** A name of a network device: the kernel refuses white space, `/` and `:`. */
export const device: fc.Arbitrary<string> = fc.constantFrom(
  "ens3",
  "-j",
  "-g",
  "!",
  '"',
  '"x',
  'x"',
  '""',
  "-A",
  "\\",
  "--comment",
);
