/** Creating and removing containers, and reading their logs, with an engine that answers, refuses, or sends hostile output. */
import { mkdtempSync, rmSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t, { type Test } from "tap";
import { idOf, startDockerDouble } from "../../../bench/docker-double.ts";
import { connectCreation } from "../../../src/host/docker/creation.ts";
import { isUnanswered, reasonOf } from "../../../src/host/docker/error.ts";

const WEB = idOf("web");
const NAME = "try-web-3fa2";

type Answer = (response: ServerResponse) => void;
const says =
  (status: number, body?: unknown): Answer =>
  (response) => {
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(body === undefined ? "" : Buffer.isBuffer(body) ? body : JSON.stringify(body));
  };

/** `METHOD path` without the query → its answers in order; the last one counts for all later requests. */
async function scripted(t: Test, script: Record<string, Answer | readonly Answer[]>) {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-creation-"));
  const asked: { readonly method: string; readonly url: URL; readonly body: string }[] = [];
  const engine = await startDockerDouble(join(directory, "docker.sock"), {
    containers: [],
    networks: [],
    instead(path, response, request) {
      const url = new URL(path, "http://docker");
      const key = `${request.method} ${url.pathname}`;
      const before = asked.filter((one) => `${one.method} ${one.url.pathname}` === key).length;
      const at = asked.length;
      asked.push({ method: request.method ?? "", url, body: "" });
      const answers = [script[key] ?? says(404, { message: "page not found" })].flat();
      void text(request).then((body) => {
        asked[at] = { method: request.method ?? "", url, body };
        answers[Math.min(before, answers.length - 1)]?.(response);
      });
      return true;
    },
  });
  t.teardown(async () => {
    await engine.close();
    rmSync(directory, { recursive: true });
  });
  return { docker: connectCreation({ socket: engine.socket, version: null }), asked };
}

t.test("create: the name in the query, the rest in the body; its id", async (t) => {
  const { docker, asked } = await scripted(t, { "POST /containers/create": says(201, { Id: WEB }) });
  const body = { Image: "sha256:1", Env: ["A=1"], _query: "x" };
  t.equal(await docker.create(NAME, body), WEB);
  t.equal(asked[0]?.url.searchParams.get("name"), NAME);
  t.same(JSON.parse(asked[0]?.body ?? ""), body);
});

t.test(
  "create: a name in use is no error; Docker's refusal is in Docker's words; no id is an error",
  async (t) => {
    const answers = [
      says(409, { message: "Conflict" }),
      says(404, { message: "No such image: sha256:1" }),
      says(201, { Id: "../x" }),
    ];
    const { docker } = await scripted(t, { "POST /containers/create": answers });
    t.equal(await docker.create(NAME, {}), undefined);
    const refused = await docker.create(NAME, {}).catch((error: unknown) => error);
    t.equal(reasonOf(refused), "No such image: sha256:1");
    t.notOk(isUnanswered(refused));
    const odd = await docker.create(NAME, {}).catch((error: unknown) => error);
    t.match(reasonOf(odd), /holds no id/);
    t.ok(isUnanswered(odd), "it may exist");
  },
);

t.test(
  "remove: by force, with anonymous volumes; one that is gone, or is being removed, is no error",
  async (t) => {
    const busy = says(409, { message: "removal of container is already in progress" });
    const { docker, asked } = await scripted(t, {
      [`DELETE /containers/${WEB}`]: [says(204), busy, says(404)],
    });
    await docker.remove(WEB);
    t.same(
      [...(asked[0]?.url.searchParams ?? [])],
      [
        ["force", "true"],
        ["v", "true"],
      ],
    );
    await docker.remove(WEB);
    t.equal(asked.length, 3, "asked again until it is gone");
    await docker.remove(WEB);
    await t.rejects(docker.remove("../images/x"), /no container id/);
  },
);

t.test("labelled: only the container with that very name and label, by its id", async (t) => {
  const item = (Names: unknown, Labels: unknown, Id: unknown = WEB): object => ({ Id, Names, Labels });
  const lists = [
    [item([`/${NAME}`], { "ocdd.try": NAME })],
    [item(["/other"], { "ocdd.try": NAME })],
    [item([`/${NAME}`], { "ocdd.try": "try-other-0000" })],
    [item([`/${NAME}`], null), item(null, null), item([`/${NAME}`], { "ocdd.try": NAME }, "../x")],
    [],
  ];
  const { docker, asked } = await scripted(t, {
    "GET /containers/json": lists.map((list) => says(200, list)),
  });
  const found: unknown[] = [];
  for (const _ of lists) found.push(await docker.labelled(NAME, "ocdd.try", NAME));
  t.same(found, [WEB, undefined, undefined, undefined, undefined]);
  const { searchParams } = asked[0]?.url ?? new URL("http://none");
  t.equal(searchParams.get("all"), "true");
  t.same(JSON.parse(searchParams.get("filters") ?? ""), { label: [`ocdd.try=${NAME}`] });
});

const frame = (stream: number, content: string): Buffer => {
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(Buffer.byteLength(content), 4);
  return Buffer.concat([head, Buffer.from(content)]);
};
const logged = (Tty: boolean, output: Buffer) => ({
  [`GET /containers/${WEB}/json`]: says(200, { Id: WEB, Config: { Tty } }),
  [`GET /containers/${WEB}/logs`]: says(200, output),
});

t.test("logs: the last lines of both streams, printable", async (t) => {
  const output = Buffer.concat([frame(1, "one\n\u001b[31mred\u001b[0m\n"), frame(2, "bad\0\u202e\n")]);
  const { docker, asked } = await scripted(t, logged(false, output));
  t.equal(await docker.logs(WEB), "one\nred\nbad\ufffd\ufffd");
  t.equal(asked[1]?.url.searchParams.get("tail"), "20");
});

t.test("logs: of a container with a terminal there are no frames", async (t) => {
  const { docker } = await scripted(t, logged(true, Buffer.from("\u0001\0\0\0\0\0\0\u0005hello\r\nworld")));
  t.match(await docker.logs(WEB), /hello\nworld$/);
});

t.test("logs: bounded, and none where Docker has none", async (t) => {
  const long = await scripted(t, logged(false, frame(1, `${"x".repeat(99)}\n`.repeat(30_000))));
  t.ok((await long.docker.logs(WEB)).length <= 4_000);
  const none = await scripted(t, {
    [`GET /containers/${WEB}/json`]: says(200, { Id: WEB }),
    [`GET /containers/${WEB}/logs`]: says(501, {
      message: "configured logging driver does not support reading",
    }),
  });
  t.equal(await none.docker.logs(WEB), "");
});

t.test("connect: the network's name in the path is escaped", async (t) => {
  const { docker, asked } = await scripted(t, { "POST /networks/a%2Fb/connect": says(200) });
  await docker.connect(WEB, "a/b");
  t.same(JSON.parse(asked[0]?.body ?? ""), { Container: WEB });
});
