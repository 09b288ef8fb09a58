/** Labels and image → logo, and what the shapes are made of. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { LOGOS_FILE, logosText, rounded } from "../../../packaging/logos.ts";
import { drawingOf, logoNamed, logoOf } from "../../../src/core/page/logo.ts";
import { type Logo, PROGRAMS } from "../../../src/core/page/programs.ts";

t.test("a logo: by label, else by the image's name", async (t) => {
  for (const [own, foreign, image, want] of [
    [undefined, undefined, "postgres:17.5", "postgresql"],
    [undefined, undefined, "registry.example:5000/it/my-postgres-backup@sha256:00", "postgresql"],
    [undefined, undefined, "jenkins/inbound-agent:3327", "jenkins"],
    [undefined, undefined, "grafana/loki", "grafana"],
    [undefined, undefined, "paperlessngx/paperless-ngx:2", "paperlessngx"],
    [undefined, undefined, "shop/frontend", null],
    ["jenkins", undefined, "nginx", "jenkins"],
    ["Postgres.svg", undefined, "nginx", "postgresql"],
    ["gear", undefined, "jenkins/jenkins", null],
    ["no-such", undefined, "nginx", "nginx"],
    [undefined, "si-grafana", "nginx", "grafana"],
    [undefined, "mdi-chart", "grafana/grafana", null],
    ["__proto__", "constructor", "toString/valueOf", null],
    [undefined, undefined, "", null],
  ] as const)
    t.equal(logoOf(own, foreign, image), want, `${own} ${foreign} ${image}`);
  for (const name of ["__proto__", "box", 5, null]) t.equal(logoNamed(name), null, String(name));
});

t.test("any image: a logo that exists, or none", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 600 }),
    fc.constantFrom("a/b:c", "://", "redis-"),
  );
  fc.assert(
    fc.property(text, text, text, (own, foreign, image) => {
      const logo = logoOf(own, foreign, image);
      return logo === null || logoNamed(logo) === logo;
    }),
  );
});

t.test("logos.ts: what `npm run logos` writes; shapes that need no escape in a URL", async (t) => {
  t.equal(readFileSync(LOGOS_FILE, "utf8"), logosText());
  for (const logo of Object.keys(PROGRAMS) as Logo[]) {
    const { colour, path } = drawingOf(logo);
    t.match(colour, /^[0-9a-f]{6}$/, logo);
    t.match(path, /^[a-z\d -]{20,2500}$/, logo);
  }
});

t.test("a path in tenths: each place is rounded by itself", async (t) => {
  for (const [path, want] of [
    ["M1 2L3.04 2H.5V7z", "m10 20l20 0h-25v50z"],
    ["m1.04 0 .04 0 .04 0", "m10 0l1 0 0 0"],
    ["M0 0a.5.5 0 01.5.5", "m0 0a5 5 0 0 1 5 5"],
    ["M1 1c1 1 2 2 3 3s-1-1 0 0", "m10 10c10 10 20 20 30 30s-10-10 0 0"],
    ["M5 5l1 0zl0 1", "m50 50l10 0zl0 10"],
  ] as const)
    t.equal(rounded(path), want, path);
  t.throws(() => rounded("M1,x"), /not a path/);
});
