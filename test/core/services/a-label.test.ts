import { domainToASCII, domainToUnicode } from "node:url";
import fc from "fast-check";
import t from "tap";
import { decide } from "../../../src/core/decide.ts";
import { decodePunycode, isALabel } from "../../../src/core/services/a-label.ts";
import { readLabels } from "../../../src/core/services/labels.ts";
import { suffixed, wishedName } from "../../../src/core/services/name.ts";
import { config, container, NOW, name, observation } from "../make.ts";

t.test("Punycode: the samples of RFC 3492, and every label that Node encodes", async (t) => {
  const samples: [string, string | undefined][] = [
    ["egbpdaj6bu4bxfgehfvwxn", "ليهمابتكلموشعربي؟"],
    ["ihqwcrb4cv8a8dqg056pqjye", "他们为什么不说中文"],
    ["b1abfaaepdrnnbgefbadotcwatmq2g4l", "почемужеонинеговорятпорусски"],
    ["mnchen-3ya", "münchen"],
    ["-> $1.00 <--", "-> $1.00 <-"],
    ["", ""],
    ["99999999", undefined],
    ["a_b", undefined],
    ["0", undefined],
    ["é", undefined],
  ];
  for (const [text, want] of samples) t.equal(decodePunycode(text), want, text);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1, maxLength: 15 }), (text) => {
      const ascii = domainToASCII(text);
      if (!/^xn--[a-z0-9-]+$/.test(ascii)) return true;
      return decodePunycode(ascii.slice(4)) === domainToUnicode(ascii);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9-]{0,59}$/), (text) => {
      isALabel(`xn--${text}`);
      return true;
    }),
  );
});

t.test("which labels that begin with xn-- a container may have", async (t) => {
  const good = ["münchen", "日本語", "tシャツ", "한국어", "москва", "αθήνα", "בית", "भारत", "café-1"];
  for (const text of good) {
    const label = domainToASCII(text);
    t.ok(isALabel(label), text);
    t.equal(wishedName(label.toUpperCase()), label);
  }
  const bad = [
    // Cyrillic а in Latin, Greek ο in Cyrillic
    "pаypal",
    "мοсква",
    // letters of one script that are drawn like Latin ones: аррӏе, ѕсоре
    "аррӏе",
    "ѕсоре",
    "ορο",
    // no letters
    "☃",
  ].map((text) => domainToASCII(text));
  for (const label of [...bad, "xn--web", "xn--", "xn--web-", "xn--99999999", "xn--a--b", "xn--mnchen-3yA"])
    t.notOk(isALabel(label), label);
  t.equal(wishedName("xn--80ak6aa92e"), "80ak6aa92e");
  t.equal(wishedName("xn--xn--80ak6aa92e"), "80ak6aa92e");
  t.equal(wishedName("xn--"), "xn");
});

t.test("a name that is changed: what follows xn-- stays, or xn-- goes", async (t) => {
  const city = name("xn--mnchen-3ya");
  t.equal(suffixed(city, "shop"), "shop-xn--mnchen-3ya");
  t.equal(suffixed(city, "2"), "2-xn--mnchen-3ya");
});

t.test(
  "a container whose name looks like another gets another name, and the reason is reported",
  async (t) => {
    const labels = new Map([["ocdd.name", "xn--80ak6aa92e"]]);
    const d = decide(config(), observation({ containers: [container({ name: "x", labels })] }), NOW);
    t.strictSame(d.services[0]?.names, ["80ak6aa92e"]);
    t.match(d.warnings, [/"x": "xn--80ak6aa92e" is no internationalized name/]);
    const read = readLabels(new Map([["ocdd.aliases", "xn--80ak6aa92e, xn--mnchen-3ya"]]));
    t.strictSame(read.aliases, ["xn--mnchen-3ya"]);
    t.match(read.notes, [/"xn--80ak6aa92e".*internationalized/]);
  },
);
