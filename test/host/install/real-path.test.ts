/** Paths with `..` and symbolic links, for systemd: they lead where the kernel leads them. */
import { mkdirSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import { plainPath, realPath } from "../../../src/host/install/real-path.ts";
import { unitsOf } from "../../../src/host/install/units.ts";
import { config, HOST } from "../../core/make.ts";

/** Node's other one shortens `..` by the text before. */
const kernel = realpathSync.native;

/** A directory `a/b`, and `link` to it, which may be followed from each. */
function tree(place: string): string {
  mkdirSync(join(place, "a/b"), { recursive: true });
  mkdirSync(join(place, "c"));
  symlinkSync("../a/b", join(place, "c/link"));
  symlinkSync("c/link", join(place, "link"));
  return place;
}

t.test("any path: normal, and leads where the kernel leads it as far as there is something", async (t) => {
  const place = tree(t.testdir());
  const part = fc.constantFrom("a", "b", "c", "link", "..", ".", "new");
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 7 }), async (parts) => {
      const path = [place, ...parts].join("/");
      for (const given of [await plainPath(path), await realPath(path)]) {
        if (given.split("/").some((one, i) => i > 0 && ["", ".", ".."].includes(one))) return false;
        try {
          if (kernel(given) !== kernel(path)) return false;
        } catch {
          // nothing is there
          if ((await realPath(given)) !== (await realPath(path))) return false;
        }
      }
      return true;
    }),
    { numRuns: Number(process.env.OCDD_RUNS ?? 500) },
  );
  t.equal(await plainPath(`${place}/link/../new`), `${place}/a/new`);
  t.equal(await plainPath(`${place}/link/new`), `${place}/link/new`, "a link may lead elsewhere later");
  t.equal(await plainPath("./ocdd.conf"), join(process.cwd(), "ocdd.conf"));
});

t.test("units: no path with `..`, wherever the configuration has one", async (t) => {
  const place = tree(t.testdir());
  const { file: _, ...conf } = config({
    STORAGE_DIR: `${place}/link/../state`,
    WEB_INDEX_FILE: `${place}/link/../www/index.html`,
    DNS_ZONE_FILE: `${place}/c/../zones/zone`,
    DNS_TSIG_KEY_FILE: `${place}/c/../keys`,
  });
  const units = await unitsOf({ ...conf, file: `${place}/c/link/../ocdd.conf` }, HOST);
  for (const { name, text } of units) t.notMatch(text, /\/\.\.(\/|$)/m, name);
  const text = units.find(({ name }) => name === "ocdd-watch.service")?.text;
  t.match(text, ` --config ${place}/a/ocdd.conf watch\n`);
  t.match(text, `ReadWritePaths=${place}/a/state ${place}/zones ${place}/a/www -/run`);
});
