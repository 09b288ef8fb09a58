/** Labels → card: what is honoured, in which order, and that no label can make a link or a field that harms. */
import fc from "fast-check";
import t from "tap";
import { readCard, safeUrl } from "../../../src/core/page/appearance.ts";
import { ICONS, iconOf } from "../../../src/core/page/icon.ts";

const card = (labels: Record<string, string>, image = "busybox:1") =>
  readCard(new Map(Object.entries(labels)), image);
const oci = (key: string): string => `org.opencontainers.image.${key}`;

t.test(
  "title, description and group: an ocdd label comes before those of Homepage and of the image",
  async (t) => {
    const all = {
      [oci("title")]: "Image",
      "homepage.name": "Homepage",
      "ocdd.title": "Own",
      [oci("description")]: "of the image",
      "homepage.description": "of homepage",
      "ocdd.description": "own words",
      "homepage.group": "Tools",
      "ocdd.group": "Ours",
      "homepage.href": "http://elsewhere.example/",
      "ocdd.url": "/start",
      "homepage.weight": "-5",
      [oci("version")]: "1.2.3",
      [oci("url")]: "https://maker.example/",
    };
    t.match(card(all), {
      title: "Own",
      description: "own words",
      group: "Ours",
      url: "/start",
      weight: -5,
      version: "1.2.3",
    });
    const { "ocdd.title": _1, "ocdd.description": _2, "ocdd.group": _3, "ocdd.url": _4, ...foreign } = all;
    t.match(card(foreign), {
      title: "Homepage",
      description: "of homepage",
      group: "Tools",
      url: "http://elsewhere.example/",
    });
    t.match(card({ [oci("title")]: "Image", [oci("url")]: all[oci("url")] ?? "" }), {
      title: "Image",
      url: null,
      about: "https://maker.example/",
    });
    t.match(
      card({ "ocdd.title": " ", "homepage.name": "Second" }),
      { title: "Second" },
      "an empty one counts as absent",
    );
  },
);

t.test("ocdd.hide and homarr.hide, in each spelling: hidden or not", async (t) => {
  for (const text of ["true", "TRUE", " 1 ", "yes"]) {
    t.ok(card({ "ocdd.hide": text }).hidden, text);
    t.ok(card({ "homarr.hide": text }).hidden, text);
  }
  for (const text of ["false", "0", "off"]) {
    t.notOk(card({ "ocdd.hide": text }).hidden, text);
    t.notOk(card({ "homarr.hide": text }).hidden, text);
  }
  for (const text of ["", "perhaps"]) t.ok(card({ "homarr.hide": text }).hidden, `Homarr hides by "${text}"`);
});

t.test("keys of a widget are never read", async (t) => {
  const asked: string[] = [];
  const labels = new Map([["homepage.widget.key", "secret"]]);
  readCard(
    {
      get: (key: string) => {
        asked.push(key);
        return labels.get(key);
      },
    } as unknown as ReadonlyMap<string, string>,
    "x",
  );
  t.ok(asked.length > 10);
  t.same(
    asked.filter((key) => key.includes("widget")),
    [],
  );
});

t.test("URLs in labels: only http and https without credentials are links", async (t) => {
  for (const [text, want] of [
    ["http://a.example", "http://a.example/"],
    ["HTTPS://A.example:8443/x?y#z", "https://a.example:8443/x?y#z"],
    [" http://a.example/ü ", "http://a.example/%C3%BC"],
    ["javascript:alert(1)", null],
    ["data:text/html,x", null],
    ["ftp://a.example/", null],
    ["//a.example/", null],
    ["https:a.example", null],
    ["http://user@a.example/", null],
    ["http://a.example:pass@b.example/", null],
    [`http://a.example/${"x".repeat(300)}`, null],
    ["http://", null],
    ["", null],
    [undefined, null],
  ] as const) {
    t.equal(safeUrl(text), want, String(text).slice(0, 60));
  }
  for (const [text, want] of [
    ["/start?x=1#y", "/start?x=1#y"],
    ["/a/../../b", "/b"],
    ["//evil.example/", null],
    ["/\\evil.example/", null],
    ["/\t/evil.example", null],
    ["start", null],
    ["/.//evil.example/", null],
  ] as const) {
    t.equal(card({ "ocdd.url": text }).url, want, text);
  }
});

t.test("icons: by label, else by image, else the default", async (t) => {
  for (const [own, foreign, image, want] of [
    ["database", undefined, "nginx", "database"],
    ["Database.svg", undefined, "nginx", "database"],
    ["no-such", undefined, "registry.example:5000/x/postgres:17", "database"],
    [undefined, "mdi-chart", "x", "chart"],
    [undefined, "grafana.png", "x", "chart"],
    [undefined, "https://evil.example/x.png", "x", "box"],
    [undefined, undefined, "gitea/gitea@sha256:00", "git"],
    ["__proto__", "constructor", "toString", "box"],
  ] as const) {
    t.equal(iconOf(own, foreign, image), want, `${own} ${foreign} ${image}`);
  }
  for (const [name, shape] of Object.entries(ICONS)) {
    t.match(name, /^[a-z]+$/);
    t.match(shape, /^[MmLlHhVvCcSsAaZz\d .-]+$/, name);
  }
});

t.test("any labels: a card is made and its fields are bounded", async () => {
  const keys = [
    "ocdd.title",
    "ocdd.url",
    "ocdd.icon",
    "homepage.href",
    "homepage.weight",
    "homepage.name",
    oci("url"),
    oci("version"),
  ];
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 400 }),
    fc.webUrl(),
    fc.constantFrom("/x", "//x", "http://"),
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...keys), text),
      fc.string({ maxLength: 300 }),
      (labels, image) => {
        const { title, url, about, version, icon } = card(labels, image);
        for (const one of [title, version]) if (one !== null && Buffer.byteLength(one) > 256) return false;
        for (const one of [url, about])
          if (one !== null && !/^(https?:\/\/|\/(?!\/))/.test(one)) return false;
        return Object.hasOwn(ICONS, icon);
      },
    ),
    { numRuns: 2_000 },
  );
});
