/** Docker's descriptions of containers and images, as engines give them and as they do not. */
import fc from "fast-check";
import t from "tap";
import { idOf } from "../../../bench/docker-double.ts";
import { readContainerDescription, readImageDescription } from "../../../src/host/docker/description.ts";
import { record } from "../../../src/host/docker/json.ts";

const ITEM = {
  Id: idOf("web"),
  Name: "/shop_web_1",
  Created: "2024-03-01T09:59:00.25Z",
  Image: `sha256:${idOf("image")}`,
  State: { Running: true, Paused: false, Pid: 4711, StartedAt: "2024-03-01T10:00:00.500000000Z" },
  Config: { Image: "web:1", Env: ["PATH=/bin", "A=b=c", 5], Labels: { a: "b", c: 5, __proto__: null } },
  NetworkSettings: { Networks: { shop: { IPAddress: "172.18.0.2" }, back: { IPAddress: "" }, odd: null } },
};

t.test("a container: each field", (t) => {
  const { whole, ...rest } = readContainerDescription(ITEM);
  t.strictSame(rest, {
    ...{ id: ITEM.Id, name: "shop_web_1", running: true, paused: false, pid: 4711 },
    ...{ created: 1_709_287_140, startedAt: 1_709_287_200, labels: new Map([["a", "b"]]), image: "web:1" },
    imageId: ITEM.Image,
    environment: ["PATH=/bin", "A=b=c"],
    addresses: new Map([["shop", "172.18.0.2"]]),
  });
  t.equal(whole, ITEM);
  const never = readContainerDescription({
    ...ITEM,
    Created: "x",
    State: { Running: false, Pid: 4711, StartedAt: "0001-01-01T00:00:00Z" },
  });
  t.match(never, { running: false, pid: null, created: null, startedAt: null });
  for (const Pid of [0, -1, 1.5, "4711", null])
    t.equal(
      readContainerDescription({ ...ITEM, State: { Running: true, Pid } }).pid,
      null,
      JSON.stringify(Pid),
    );
  t.end();
});

t.test("an image: each field", (t) => {
  const item = {
    Id: `sha256:${idOf("image")}`,
    RepoDigests: ["web@sha256:1", "other@sha256:2"],
    RepoTags: ["web:1", null],
    Created: "2024-03-01T10:00:00Z",
    Config: { Env: ["VALIDATE_METHOD=/check a=b", "FLAG", "=x"], Labels: { "ocdd.meta.a": "1" } },
  };
  t.strictSame(readImageDescription(item), {
    ...{ id: item.Id, digest: "web@sha256:1", tags: ["web:1"], created: 1_709_287_200 },
    labels: new Map([["ocdd.meta.a", "1"]]),
    environment: new Map([
      ["VALIDATE_METHOD", "/check a=b"],
      ["FLAG", ""],
      ["", "x"],
    ]),
  });
  t.strictSame(readImageDescription({ RepoDigests: [], Config: null }).digest, null);
  t.end();
});

t.test("any JSON: fields of their types", async () => {
  const word = fc.constantFrom(
    ...Object.keys(ITEM),
    "Running",
    "Pid",
    "Env",
    "Labels",
    "Networks",
    "RepoTags",
    "__proto__",
  );
  const odd = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" });
  fc.assert(
    fc.property(fc.dictionary(word, fc.oneof(odd, fc.dictionary(word, odd))), (item) => {
      const one = readContainerDescription(record(item));
      const image = readImageDescription(record(item));
      return (
        [one.id, one.name, one.image, one.imageId, image.id, ...one.environment, ...image.tags].every(
          (text) => typeof text === "string",
        ) &&
        [...one.labels.values(), ...image.environment.values()].every((text) => typeof text === "string") &&
        [one.created, one.startedAt, image.created].every((time) => time === null || time > 0)
      );
    }),
    { numRuns: 1000 },
  );
});
