/** Files in a container, read from the archives that Docker sends. */
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type Header, pack } from "tar-stream";
import { idOf, startDockerDouble } from "../../../bench/docker-double.ts";
import { connectMethods, type DockerMethods } from "../../../src/host/docker/methods.ts";

const WEB = idOf("web");
const LIMITS = { octets: 100, total: 1 << 20, files: 3 };

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

async function engineOf(t: Test, answer: Answer, deadline = 10_000) {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-archive-"));
  const asked: string[] = [];
  const closed: string[] = [];
  const engine = await startDockerDouble(join(directory, "docker.sock"), {
    containers: [],
    networks: [],
    instead(path, response, request) {
      asked.push(`${request.method} ${path}`);
      response.on("close", () => closed.push(path));
      answer(response, request);
      return true;
    },
  });
  t.teardown(async () => {
    await engine.close();
    rmSync(directory, { recursive: true });
  });
  const docker = connectMethods({ socket: engine.socket, version: null, deadline });
  const read = (): ReturnType<DockerMethods["files"]> =>
    docker.files(WEB, "/etc/ocdd/metadata", ".json", LIMITS);
  return { docker, asked, closed, read };
}

type Entry = Partial<Header> & { readonly name: string } & { readonly text?: string };

const sends =
  (...entries: readonly Entry[]): Answer =>
  (response) => {
    const archive = pack();
    for (const { text, ...header } of entries) {
      if (text === undefined) archive.entry(header);
      else archive.entry(header, text);
    }
    archive.finalize();
    response.writeHead(200, { "Content-Type": "application/x-tar" });
    archive.pipe(response);
  };
const file = (name: string, text: string): Entry => ({ name: `metadata/${name}`, text });
const DIRECTORY: Entry = { name: "metadata/", type: "directory" };

t.test("a directory: its regular files of that suffix, and the names of those left out", async (t) => {
  const { read, asked } = await engineOf(
    t,
    sends(
      DIRECTORY,
      file("a.json", "{}"),
      file("b.json", "gr\u00fc\u00dfe"),
      file("readme.txt", "x"),
      file("large.json", "x".repeat(101)),
      { name: "metadata/sub.json/", type: "directory" },
      file("sub.json/c.json", "{}"),
      { name: "metadata/link.json", type: "symlink", linkname: "/etc/shadow" },
      { name: "metadata/hard.json", type: "link", linkname: "metadata/a.json" },
      { name: "metadata/fifo.json", type: "fifo" },
      { name: "other.json", text: "{}" },
      file(`${"long".repeat(50)}.json`, "{}"),
      file("d.json", "{}"),
    ),
  );
  const { files, leftOut } = await read();
  t.strictSame(Object.fromEntries(files), {
    "a.json": "{}",
    "b.json": "gr\u00fc\u00dfe",
    [`${"long".repeat(50)}.json`]: "{}",
  });
  t.strictSame([...leftOut].sort(), ["d.json", "fifo.json", "hard.json", "large.json", "link.json"]);
  t.strictSame(asked, [`GET /containers/${WEB}/archive?path=%2Fetc%2Focdd%2Fmetadata`]);
});

t.test("no such directory, an empty one, a link, a file: nothing is read", async (t) => {
  const missing: Answer = (response) => response.writeHead(404).end('{"message":"Could not find the file"}');
  const rows: [Answer, "link" | "file" | null][] = [
    [missing, null],
    [sends(DIRECTORY), null],
    [sends({ name: "metadata", type: "symlink", linkname: "/x" }), "link"],
    [sends({ name: "metadata", text: "{}" }), "file"],
  ];
  for (const [answer, instead] of rows) {
    const { read } = await engineOf(t, answer);
    t.strictSame(await read(), { files: new Map(), leftOut: [], instead });
  }
});

t.test("very many and very large files: bounded, and the connection is closed", async (t) => {
  const many = Array.from({ length: 500 }, (_, n) => file(`${n}.json`, "{}"));
  const some = await engineOf(t, sends(DIRECTORY, ...many));
  const { files, leftOut } = await some.read();
  t.strictSame([files.size, leftOut.length], [3, 16]);
  const endless = await engineOf(t, (response) => {
    const archive = pack();
    archive.entry({ name: "metadata/a.json", size: 2 ** 33 });
    response.writeHead(200);
    archive.once("data", (head) => {
      response.write(head);
      const more = (): void => {
        while (response.write(Buffer.alloc(1 << 16)));
      };
      response.on("drain", more);
      more();
    });
  });
  await t.rejects(endless.read(), { message: /its files are larger than 1048576 octets together/ });
  while (endless.closed.length < 1) await new Promise((resolve) => setImmediate(resolve));
  t.pass("closed");
});

t.test("an archive that is none, or ends too early: an error, and the connection is closed", async (t) => {
  const answers: Answer[] = [
    (response) => response.writeHead(200).write(Buffer.alloc(4_096, "x")),
    (response) => {
      const archive = pack();
      archive.entry({ name: "metadata/a.json", size: 5_000 }).write("{}");
      response.writeHead(200);
      archive.once("data", (part) => response.end(part));
    },
  ];
  for (const answer of answers) {
    const engine = await engineOf(t, answer);
    await t.rejects(engine.read(), { name: "HostError", message: /GET .*archive/ });
    while (engine.closed.length < 1) await new Promise((resolve) => setImmediate(resolve));
  }
});

t.test("an executable: a file with such a right, or a link; asked without its content", async (t) => {
  const stat =
    (value: unknown): Answer =>
    (response) => {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      response.writeHead(200, { "X-Docker-Container-Path-Stat": Buffer.from(text).toString("base64") }).end();
    };
  const rows: [unknown, boolean][] = [
    [{ mode: 0o755 }, true],
    [{ mode: 0o644 }, false],
    [{ mode: 0o001 }, true],
    [{ mode: 2 ** 31 + 0o755 }, false],
    [{ mode: 2 ** 27 + 0o777, linkTarget: "/x" }, true],
    [{ mode: "755" }, false],
    [{}, false],
    [[], false],
    ["no JSON", false],
    ["", false],
  ];
  for (const [value, want] of rows) {
    const { docker, asked } = await engineOf(t, stat(value));
    t.equal(await docker.isExecutable(WEB, "/bin/container"), want, JSON.stringify(value));
    t.strictSame(asked, [`HEAD /containers/${WEB}/archive?path=%2Fbin%2Fcontainer`]);
  }
  const missing = await engineOf(t, (response) => response.writeHead(404).end());
  t.equal(await missing.docker.isExecutable(WEB, "/bin/container"), false);
  const bare = await engineOf(t, (response) => response.writeHead(200).end());
  t.equal(await bare.docker.isExecutable(WEB, "/bin/container"), false);
});

t.test("an engine that hangs or refuses: an error", async (t) => {
  const hangs = await engineOf(t, () => undefined, 200);
  await t.rejects(hangs.docker.isExecutable(WEB, "/x"), { message: /HEAD .* within 0\.2 s/ });
  t.equal(hangs.asked.length, 2, "asked once more");
  const refuses = await engineOf(t, (response) => response.writeHead(500).end('{"message":"oh"}'));
  await t.rejects(refuses.read(), { message: /status 500\): oh/ });
  await t.rejects(async () => refuses.docker.files("../x", "/", "", LIMITS), { message: "no container id" });
});

t.test("containers and images: only names that can be one are asked for", async (t) => {
  const { docker, asked } = await engineOf(t, (response, request) => {
    const known = /^\/(containers\/web|images\/[^?]*)\/json/.test(request.url ?? "");
    response.writeHead(known ? 200 : 404).end(JSON.stringify({ Id: WEB, Name: "/web" }));
  });
  for (const odd of ["", ".", "..", "../info", "a/b", "a?b", "a b", "\u00e4", "web\n", "-x"])
    t.equal(await docker.container(odd), undefined, JSON.stringify(odd));
  for (const odd of ["", "..", "a/../../info", "/a", "a b", "a?x=1", "a\n"])
    t.equal(await docker.image(odd), undefined, JSON.stringify(odd));
  t.strictSame(asked, []);
  t.match(await docker.container("web"), { id: WEB, name: "web" });
  t.equal(await docker.container("none"), undefined);
  t.match(await docker.image("registry.example:5000/a/b@sha256:00"), { id: WEB });
  t.match(asked.at(-1), "/images/registry.example%3A5000/a/b%40sha256%3A00/json");
});
