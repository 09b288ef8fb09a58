/** What a container is, and from where each part of it is known. */
import t from "tap";
import { HostError } from "../../../src/core/errors.ts";
import type { FilesRead } from "../../../src/host/docker/archive.ts";
import type { DockerMethods } from "../../../src/host/docker/methods.ts";
import { describe } from "../../../src/lifecycle/methods/describe.ts";
import { type Acts, describedAs, ended, fakeMethods, imageOf, WEB } from "./fake.ts";

const map = (values: Readonly<Record<string, string>>): Map<string, string> =>
  new Map(Object.entries(values));
const files =
  (values: Readonly<Record<string, string>>, leftOut: readonly string[] = []): DockerMethods["files"] =>
  async (): Promise<FilesRead> => ({ files: map(values), leftOut, instead: null });
const nothing: Acts = async () => ended(1);

async function described(over: Partial<DockerMethods>, acts: Acts = nothing) {
  const { docker, ran } = fakeMethods(acts, over);
  const found = await describe(docker, WEB);
  if (found === undefined) throw new Error("there is no such container");
  const validate = found.methods.found.get("validate");
  return { ...found, ran, validate: validate && [validate.source, validate.action] };
}

const script: Partial<DockerMethods> = { isExecutable: async (_, path) => path === "/opt/bin/container" };
const withScript: Partial<DockerMethods> = {
  ...script,
  container: async () => describedAs({ environment: ["PATH=relative:/opt/bin/:/bin", "SECRET=1"] }),
};

t.test("each source of a method in its order: the one before is taken away", async (t) => {
  const labelled = describedAs({ labels: map({ "ocdd.validate": "/a" }), environment: ["PATH=/opt/bin"] });
  const bare = describedAs({ environment: ["PATH=/opt/bin"] });
  const image = imageOf({ environment: map({ VALIDATE_METHOD: "/d" }) });
  const all: Partial<DockerMethods> = {
    ...script,
    container: async () => labelled,
    files: files({ "2.json": '{"validate_method":"/b"}', "1.json": '{"validate_method":"/older"}' }),
    image: async () => image,
  };
  t.strictSame((await described(all)).validate, ["label ocdd.validate", { argv: ["/a"] }]);
  const noLabel = { ...all, container: async () => bare };
  t.strictSame((await described(noLabel)).validate, ["/etc/ocdd/metadata/2.json", { argv: ["/b"] }]);
  const noFile = { ...noLabel, files: files({}) };
  t.strictSame((await described(noFile)).validate, [
    "/opt/bin/container",
    { argv: ["/opt/bin/container", "--validate"] },
  ]);
  const noScript = { ...noFile, isExecutable: async () => false };
  t.strictSame((await described(noScript)).validate, ["image ENV VALIDATE_METHOD", { argv: ["/d"] }]);
  t.equal((await described({ ...noScript, image: async () => undefined })).validate, undefined);
});

t.test("a label that cannot be read: a note, and no other source is used", async (t) => {
  const { validate, notes } = await described({
    container: async () => describedAs({ labels: map({ "ocdd.validate": "a | b" }) }),
    files: files({ "1.json": '{"validate_method":"/b"}' }),
  });
  t.equal(validate, undefined);
  t.match(notes, [/^validate \(label ocdd\.validate\) cannot be read: "\|" needs a shell/]);
});

t.test("ancestry: the files by name, oldest first; those that cannot be read are noted", async (t) => {
  const { ancestry, notes } = await described({
    files: files(
      { "b.json": '{"project":"b"}', "a.json": '{"project":"a"}', "c.json": "{", "d\u001b[31m.json": "[]" },
      ["big.json", "\n\u001b.json"],
    ),
  });
  t.strictSame(
    ancestry.map(({ project }) => project),
    ["a", "b"],
  );
  t.equal(notes.length, 4);
  t.match(notes.join("|"), /big\.json is left out.*c\.json is no JSON/);
  for (const note of notes) t.notMatch(note, /\p{Cc}/u);
});

t.test("ancestry: a link or a file in place of the directory is noted", async (t) => {
  for (const [instead, words] of [
    ["link", "is a symbolic link, which is not followed"],
    ["file", "is no directory"],
  ] as const) {
    const { notes } = await described({ files: async () => ({ files: new Map(), leftOut: [], instead }) });
    t.strictSame(notes, [`/etc/ocdd/metadata is not read: it ${words}`]);
  }
});

t.test("ancestry without files: what the script says, else OCI's labels", async (t) => {
  const says =
    (text: string, status = 0): Acts =>
    async (_, print) => {
      print("a warning\n", "stderr");
      print(text);
      return ended(status);
    };
  const one = await described(withScript, says('{"project":"p"}'));
  t.strictSame(one.ran, [["/opt/bin/container", "--metadata"]]);
  t.match(one.ancestry, [{ project: "p", source: "/opt/bin/container --metadata" }]);
  t.strictSame(one.notes, []);
  const list = await described(withScript, says('[{"project":"old"},{"project":"new"}]'));
  t.strictSame(
    list.ancestry.map(({ project }) => project),
    ["old", "new"],
  );
  const image = async () => imageOf({ labels: map({ "org.opencontainers.image.title": "by label" }) });
  for (const [acts, note] of [
    [says("no JSON"), /JSON/],
    [says("5"), /no JSON object/],
    [says('[{"project":"a"}, 5]'), /no JSON object/],
    [says("{}", 3), /ended with status 3/],
    [says("x".repeat(10 << 20)), /printed more than 262144 octets/],
    [says("[".repeat(100_000)), /JSON/],
    [async () => ({ status: null, ended: "timeout", runsOn: false }), /did not end in time/],
    [() => Promise.reject(new HostError("docker", "is paused")), /is paused/],
  ] as [Acts, RegExp][]) {
    const { ancestry, notes } = await described({ ...withScript, image }, acts);
    t.match(ancestry, [{ project: "by label", source: "OCI labels" }]);
    t.match(notes, [note]);
    t.match(notes[0], /^\/opt\/bin\/container --metadata cannot be read: /);
    t.ok((notes[0] ?? "").length < 400);
  }
});

t.test(
  "a script: not run where there are files, in a container that does not run, or is paused",
  async (t) => {
    t.strictSame((await described({ ...withScript, files: files({ "a.json": "{}" }) })).ran, []);
    for (const state of [{ running: false }, { paused: true }]) {
      const container = async () => describedAs({ environment: ["PATH=/opt/bin"], ...state });
      const one = await described({ ...script, container });
      t.strictSame(one.ran, []);
      t.match(one.validate, ["/opt/bin/container"], "it is found all the same");
    }
  },
);

t.test(
  "the search for the script: 16 directories at most, Docker's own PATH where there is none",
  async (t) => {
    const looked: string[] = [];
    const isExecutable = async (_: string, path: string): Promise<boolean> => looked.push(path) < 0;
    await described({ isExecutable });
    t.match(looked, ["/usr/local/sbin/container", "/usr/local/bin/container"]);
    looked.length = 0;
    const PATH = Array.from({ length: 500 }, (_, n) => `/${n}`).join(":");
    await described({ isExecutable, container: async () => describedAs({ environment: [`PATH=${PATH}`] }) });
    t.equal(looked.length, 16);
  },
);

t.test("what Docker refuses or does not have", async (t) => {
  t.equal(await describe(fakeMethods(nothing, { container: async () => undefined }).docker, "x"), undefined);
  const fails = (): Promise<never> => Promise.reject(new HostError("docker", "does not answer"));
  const { notes, ancestry } = await described({ files: fails, isExecutable: fails });
  t.strictSame([notes, ancestry], [["/etc/ocdd/metadata cannot be read: does not answer"], []]);
  await t.rejects(described({ image: fails }), { message: "does not answer" });
  await t.rejects(described({ container: fails }), { message: "does not answer" });
});

t.test("hostile metadata: the rest is described", async (t) => {
  const { ancestry, notes } = await described({
    files: files({
      "a.json": '{"project":"a","build_time_stamp":{"toString":1,"valueOf":1},"__proto__":{"ci":true}}',
      "b.json": "x".repeat(10 << 20),
      "c.json": `{"a":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
    }),
  });
  t.match(ancestry, [{ project: "a", ci: null, buildTimeStamp: null }]);
  t.equal(ancestry.length, 1);
  t.equal(notes.length, 2);
});
