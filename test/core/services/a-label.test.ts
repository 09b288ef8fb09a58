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

/** The Punycode of a text as it is (RFC 3492 §6.3): what node:url has is of the text as it should be. */
function encode(text: string): string {
  const points = [...text].map((c) => c.codePointAt(0) ?? 0);
  const basic = points.filter((c) => c < 128).map((c) => String.fromCharCode(c));
  let [out, n, delta, bias, done] = [
    basic.join("") + (basic.length > 0 ? "-" : ""),
    128,
    0,
    72,
    basic.length,
  ];
  const digit = (d: number): string => String.fromCharCode(d < 26 ? 97 + d : 22 + d);
  for (; done < points.length; n++, delta++) {
    const next = Math.min(...points.filter((c) => c >= n));
    delta += (next - n) * (done + 1);
    n = next;
    for (const c of points) {
      if (c < n) delta++;
      if (c !== n) continue;
      let rest = delta;
      for (let k = 36; ; k += 36) {
        const threshold = Math.min(Math.max(k - bias, 1), 26);
        if (rest < threshold) break;
        out += digit(threshold + ((rest - threshold) % (36 - threshold)));
        rest = Math.floor((rest - threshold) / (36 - threshold));
      }
      out += digit(rest);
      delta = Math.floor(delta / (done === basic.length ? 700 : 2));
      delta += Math.floor(delta / (done + 1));
      for (bias = 0; delta > 455; bias += 36) delta = Math.floor(delta / 35);
      bias += Math.floor((36 * delta) / (delta + 38));
      delta = 0;
      done++;
    }
  }
  return `xn--${out}`;
}

t.test("names in the letters of languages: kept", async (t) => {
  const names =
    "größe straße übung été façade cœur año smörgås fløjte æble łódź žluťoučký kőris ţară ışık bahçe việt əlifba saß γλώσσας " +
    "почта погода сервер база հայերեն ქართული שירות خدمة سرویس सेवा সেবা சேவை సేవ സേവനം บริการ ບໍລິການ សេវា ቤት 服务器 サーバー2 データ 서버 webサーバ";
  for (const text of names.split(" ")) {
    const label = encode(text.normalize("NFC"));
    t.equal(label, domainToASCII(text), text);
    t.ok(isALabel(label), text);
  }
});

t.test("letters that are drawn like ASCII, or become it: refused", async (t) => {
  const names = [
    // one of Latin's own doubles among ASCII: phonetic letters, small capitals, a letter without its dot, a dot that is not seen
    ..."jenkıns kapı ɡrafana grafɑna jenkɪns jenkɩns ȷenkins ᴊenkins ꜱnap ɢitea nexᴛcloud ʋault wikı ĸafka ƽtore ᴄaddy ƍit".split(
      " ",
    ),
    ..."jenki\u0307ns j\u0307enkins grafana\u0332 graf\u0335ana".split(" "),
    // those that NFKC or lower case makes another letter
    ..."ｊｅｎｋｉｎｓ jenkinſ ﬁle ªdmin ºps ℡net ǆob Jenkıns ⅰntern ²fa ŀab ĳs".split(" "),
    // one script, all of whose letters are doubles; digits of other scripts
    ..."аррӏе ѕсоре ԍо рог ορο γρυ ցօօց սոօ ჿჿ סוס ооо ০০ ٠٠ oo০ ഠഠ ဝဝ ዐዐ і\u0307о".split(" "),
    // hyphens of other scripts, letters that are not seen
    ..."web一prod toolー丨 web\u1160 web\u3164 서버\u1160 we\u034fb ᅵ서 सेवा\u200b we\u00adb".split(" "),
    // more than one script
    ..."gitlaь pаypal мοсква webд שaרות ქართλ webかд".split(" "),
  ];
  for (const text of names) t.notOk(isALabel(encode(text)), `${text} ${encode(text)}`);
});

t.test("hyphens and marks at places where no label has them: refused", async (t) => {
  for (const text of [
    "jenkins-ä-",
    "-jenkins-ä",
    "je--nkins-ä",
    "xn--ä",
    "\u0301ä",
    "सेवा-\u093e",
    "\u093eसेवा",
    "ä\u0301\u0301",
    "सेवा1\u0941",
    "שִ\u05b4רות",
    "٠۱خدمة",
    // right to left, and begins with a digit (RFC 5893 §2)
    "1שירות",
    "mu\u0308nchen",
  ])
    t.notOk(isALabel(encode(text)), `${text} ${encode(text)}`);
});

t.test(
  "any label that is kept: a browser makes it of its letters, and those are no other name's",
  async () => {
    const unit = fc.oneof(
      fc.constantFrom(..."aeiou-sxn0ıäöéсое"),
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(fc.array(unit, { minLength: 1, maxLength: 8 }), (units) => {
        const text = units.join("");
        const label = encode(text);
        if (!isALabel(label)) return true;
        const stable = text.normalize("NFKC").toLowerCase().normalize("NFKC");
        return stable === text && domainToASCII(text) === label && domainToUnicode(label) === text;
      }),
      { numRuns: 2_000 },
    );
  },
);

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
