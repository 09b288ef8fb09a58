/** The paths that OCDD writes: none of them can be an output, however it is spelt. */
import fc from "fast-check";
import t from "tap";
import { keptOf, newOf, normal, outputClashes, ownPaths, pathsOf, previousOf } from "../../src/core/paths.ts";

const SETTINGS = { storageDir: "/s", zoneFile: "/s/dns/z.zone", indexFile: "/w/index.html" };
/** Whether the zone cannot be there. */
const isReserved = (zoneFile: string, settings = SETTINGS): boolean =>
  outputClashes({ ...settings, zoneFile }).length > 0;

t.test(
  "what OCDD keeps for itself: reserved, with its temporary names, what is in it and what it is in",
  async (t) => {
    const { leases, events, methods, tries, self, lastRun, services } = pathsOf(SETTINGS);
    for (const path of [
      ...Object.values(pathsOf(SETTINGS)),
      previousOf(leases),
      newOf(previousOf(leases)),
      keptOf(leases),
      previousOf(events),
      newOf(self),
      newOf(services),
      newOf(SETTINGS.indexFile),
      `${methods}/results.lock`,
      `${tries}/a.json`,
      "/s/private",
      "/s/private/x",
      `${lastRun}/x`,
      "/s",
      "/w",
      "/",
    ])
      t.ok(isReserved(path), path);
    for (const path of [SETTINGS.zoneFile, "/s/leases.jso", "/s/methods2", "/s/www/x", "/x", "/sx"])
      t.notOk(isReserved(path), path);
  },
);

t.test("a page at the top: the files beside it are reserved too", async (t) => {
  const settings = { ...SETTINGS, indexFile: "/index.html" };
  t.equal(pathsOf(settings).services, "/services.json");
  t.ok(isReserved("/services.json", settings));
});

const part = fc.constantFrom("a", "b", "leases.json", "x y");
const noise = fc.constantFrom("", ".", "q/..");

t.test("any spelling of a path: one normal form, and reserved as that is", async (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(part, noise), { maxLength: 5 }), (parts) => {
      const plain = `/${parts.map(([name]) => name).join("/")}`;
      const spelt = `/${parts.map(([name, more]) => `${more}/${name}/`).join("/")}`;
      t.equal(normal(spelt), plain);
      t.equal(normal(plain), plain);
    }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...ownPaths(SETTINGS).filter((own) => own !== newOf(SETTINGS.zoneFile))),
      noise,
      fc.array(part, { maxLength: 2 }),
      (own, more, below) => {
        const path = own.replace(/\/([^/]+)$/, `//${more}/$1/${below.join("/")}`);
        t.ok(isReserved(path), path);
      },
    ),
  );
});

t.test("zone and page: two files, neither in the other, nor in its place for a moment", async (t) => {
  for (const [zoneFile, indexFile, keys] of [
    ["/a/x", "/a/x", ["WEB_INDEX_FILE"]],
    ["/a/x/y", "/a/x", ["WEB_INDEX_FILE"]],
    ["/a/x", "/a/x/y", ["WEB_INDEX_FILE"]],
    ["/a/.x.ocdd-new", "/a/x", ["DNS_ZONE_FILE"]],
    ["/a/x", "/a/.x.ocdd-new", ["WEB_INDEX_FILE"]],
    ["/a/x", "/a/x.new", []],
    ["/s", "/a/x", ["DNS_ZONE_FILE"]],
    ["/a/z", "/s/owed", ["WEB_INDEX_FILE"]],
    ["/a/x", "/a/xy", []],
    ["/a/x", "/a/y", []],
  ] as const)
    t.strictSame(
      outputClashes({ ...SETTINGS, zoneFile, indexFile }).map(({ key }) => key),
      keys,
      `${zoneFile} ${indexFile}`,
    );
});
