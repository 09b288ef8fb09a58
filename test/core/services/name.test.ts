import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import {
  fingerprint,
  isReserved,
  nameNotes,
  suffixed,
  toName,
  wishedName,
  withoutComposeParts,
} from "../../../src/core/services/name.ts";
import { composeLabels, config, container, NOW, name, observation } from "../make.ts";

const LDH = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;
const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.stringMatching(/^[A-Za-z0-9_.-]{1,300}$/),
);

t.test("any text: an LDH label, and a label stays as it is", async () => {
  fc.assert(
    fc.property(text, (given) => {
      const label = toName(given);
      if (label === undefined) return !/[a-z0-9]/i.test(given.replace(/[^\x20-\x7e]/gu, ""));
      return LDH.test(label) && toName(label) === label;
    }),
  );
});

t.test("names of containers become labels (O-1, O-2, O-3)", async (t) => {
  const table: [string, string | undefined][] = [
    ["web", "web"],
    ["Web", "web"],
    ["a_b", "a-b"],
    ["a.b", "a-b"],
    ["x..y", "x--y"],
    ["ns1.", "ns1"],
    ["10.0.0.1", "10-0-0-1"],
    ["--web--", "web"],
    ["", undefined],
    ["...", undefined],
    ["日本", undefined],
    ["caf\u00e9", "caf"],
    ["web\n-A OCDD -j DROP", "web--a-ocdd--j-drop"],
    ["a".repeat(63), "a".repeat(63)],
    // KELVIN SIGN lower-cases to an ASCII k
    ["\u212a", "k"],
  ];
  for (const [given, want] of table) t.equal(toName(given), want, JSON.stringify(given));
});

t.test("a name that is cut: a hash of the whole keeps it distinct", async (t) => {
  const a = toName(`${"a".repeat(4000)}1`);
  const b = toName(`${"a".repeat(4000)}2`);
  t.match(a, /^a{58}-[0-9a-f]{4}$/);
  t.not(a, b);
  t.match(
    toName(`${"a".repeat(57)}-${"b".repeat(20)}`),
    /^a{57}-[0-9a-f]{4}$/,
    "no double hyphen at the cut",
  );
});

t.test("a suffixed name: valid, and another one", async () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  fc.assert(
    fc.property(label, label, (base, suffix) => {
      const got = suffixed(name(base), suffix);
      return LDH.test(got) && got !== base;
    }),
  );
});

t.test("a container's name is reduced in the bash script's own form alone", async (t) => {
  const table: [string, string][] = [
    ["example_jenkins_1", "jenkins"],
    ["example-jenkins-1", "example-jenkins-1"],
    ["example_my_db_1", "example_my_db_1"],
    ["example_db_12", "example_db_12"],
    ["jenkins", "jenkins"],
    ["jenkins_1", "jenkins_1"],
    ["jenkins-1", "jenkins-1"],
    ["a_b_c", "a_b_c"],
    ["_x_1", "_x_1"],
  ];
  for (const [given, want] of table) t.equal(withoutComposeParts(given), want, given);
});

t.test("reserved labels", async (t) => {
  for (const label of ["ns", "ns1", "ns23", "localhost", "wpad", "isatap", "dockerhost"]) {
    t.equal(isReserved(name(label), name("dockerhost")), true, label);
  }
  for (const label of ["nsx", "web", "dns", "host", "ns1a"])
    t.equal(isReserved(name(label), name("dockerhost")), false, label);
});

t.test("a fingerprint is eight hex digits, the same for the same text", async (t) => {
  fc.assert(fc.property(fc.string(), (s) => /^[0-9a-f]{8}$/.test(fingerprint(s))));
  // FNV-1a's published test vectors
  t.equal(fingerprint(""), "811c9dc5");
  t.equal(fingerprint("a"), "e40c292c");
  t.equal(fingerprint("foobar"), "bf9cf968");
});

t.test("ocdd.name that is not used as it is written: the reason and the name that is used", async (t) => {
  const noted = (label: string, more: Iterable<[string, string]> = []) => {
    const labels = new Map([...more, ["ocdd.name", label]]);
    const seen = observation({ containers: [container({ name: "app", labels })] });
    const { services, warnings } = decide(config(), seen, NOW);
    return { name: services[0]?.name, warnings, notes: services[0]?.notes };
  };
  const INTERNATIONAL = " (an internationalized name is written in its form with xn--)";
  for (const [label, used, remedy] of [
    ["*.web", "web", ""],
    ["api.shop", "api-shop", ""],
    ["web.toolbox.example.com", "web-toolbox-example-com", ""],
    ["-x-", "x", ""],
    ["web;rm", "web-rm", ""],
    ["*", "app", ""],
    ["日本", "app", INTERNATIONAL],
    ["münchen", "m-nchen", INTERNATIONAL],
  ] as const) {
    const note = `label ocdd.name: "${label}" is no name of up to 63 letters, digits and hyphens${remedy}: "${used}" is used`;
    t.strictSame(noted(label), { name: used, warnings: [`container "app": ${note}`], notes: [note] }, label);
  }
  t.match(noted("日本", composeLabels("shop", "front")).warnings[0], /: "front" is used$/);
  t.match(
    noted("x".repeat(64)).warnings[0],
    /"x{60}…" is no name of up to 63 .*: "x{58}-[0-9a-f]{4}" is used$/,
  );
  for (const [label, used] of [
    ["web", "web"],
    ["Web", "web"],
    ["my_app", "my-app"],
    [" web ", "web"],
    ["xn--mnchen-3ya", "xn--mnchen-3ya"],
    ["", "app"],
    ["  ", "app"],
  ] as const)
    t.strictSame(noted(label), { name: used, warnings: [], notes: undefined }, JSON.stringify(label));
});

t.test("any ocdd.name: used as it is written, or a note of one line", async () => {
  fc.assert(
    fc.property(text, (label) => {
      const used = wishedName(label) ?? name("other");
      const notes = nameNotes(label, "other", used);
      const same = used === label.trim().toLowerCase().replaceAll("_", "-") || label.trim() === "";
      return (
        same === (notes.length === 0) && notes.every((note) => note.length < 300 && !/\p{Cc}/u.test(note))
      );
    }),
  );
});
