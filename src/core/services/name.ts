import { clip } from "../clip.ts";
import { isALabel } from "./a-label.ts";

declare const brand: unique symbol;
/** A lower-case LDH label: letters, digits, inner hyphens, 1 to 63 octets (RFC 1123 §2.1). */
export type Name = string & { readonly [brand]: "Name" };

const MAX_OCTETS = 63;

/** Eight hex digits of FNV-1a over the UTF-16 units of `text`: stable, not secret. */
export function fingerprint(text: string): string {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h >>> 0).toString(16).padStart(8, "0");
}

/**
 * The Name made of any text: lower case, every character that is no LDH becomes a hyphen, outer hyphens go,
 * what is over 63 octets is cut and gets a hash of the whole. Undefined when nothing is left.
 */
export function toName(text: string): Name | undefined {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9-]/gu, "-")
    .replace(/^-+|-+$/g, "");
  if (label === "") return undefined;
  if (label.length <= MAX_OCTETS) return label as Name;
  return `${label.slice(0, MAX_OCTETS - 5).replace(/-+$/, "")}-${fingerprint(text).slice(0, 4)}` as Name;
}

/** The same for a container's text: `xn--` stays only where it begins an A-label that does not look like another name. */
export function wishedName(text: string): Name | undefined {
  const label = toName(text);
  return label?.startsWith("xn--") === true && !isALabel(label)
    ? toName(label.replace(/^(xn-+)+/, ""))
    : label;
}

/**
 * What is to be said of the text that a container's name is made from: the label ocdd.name, else `other`. `used` is the name that
 * is made of it. A label is meant as it is written, apart from case, `_` and spaces.
 */
export function nameNotes(label: string | null, other: string, used: Name): string[] {
  const asked = label?.trim() ?? "";
  const text = asked || other;
  if (toName(text) !== wishedName(text))
    return [
      `"${clip(text)}" is no internationalized name of one script, or looks like a Latin one: it is used without xn--`,
    ];
  if (asked === "" || used === asked.toLowerCase().replaceAll(/[_ ]/g, "-")) return [];
  const remedy = /[^\0-\x7f]/.test(asked)
    ? " (an internationalized name is written in its form with xn--)"
    : "";
  return [
    `label ocdd.name: "${clip(asked)}" is no name of up to 63 letters, digits and hyphens${remedy}: "${used}" is used`,
  ];
}

/** `name-suffix`, cut like any other Name; `suffix-name` where what follows `xn--` must stay as it is. */
export function suffixed(name: Name, suffix: string): Name {
  return wishedName(name.startsWith("xn--") ? `${suffix}-${name}` : `${name}-${suffix}`) ?? name;
}

/** True for a label that no container may have. */
export function isReserved(name: Name, hostName: Name): boolean {
  return name === hostName || /^(ns\d*|localhost|wpad|isatap)$/.test(name);
}

/** `example_jenkins_1`, the form that the bash script knew, reduced to `jenkins`; any other name is its own. */
export function withoutComposeParts(containerName: string): string {
  return /^[a-z]+_([a-z]+)_[0-9]$/.exec(containerName)?.[1] ?? containerName;
}
