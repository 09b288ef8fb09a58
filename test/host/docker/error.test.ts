/** Messages and remedies of requests that fail: each names what has happened, and something that helps. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { idOf, startDockerDouble } from "../../../bench/docker-double.ts";
import type { HostError } from "../../../src/core/errors.ts";
import { connectActions } from "../../../src/host/docker/actions.ts";
import { connectDocker } from "../../../src/host/docker/client.ts";
import { dockerError, reasonOf, wordsOf } from "../../../src/host/docker/error.ts";
import { refusal } from "../refusal.ts";

function place(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-docker-error-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

const listed = (socket: string): Promise<HostError> =>
  refusal(connectDocker({ socket, version: null, filters: null }).containers());

t.test("DOCKER_SOCKET that is no socket: said so, and the key is the remedy", async (t) => {
  const directory = place(t);
  mkdirSync(join(directory, "d"));
  writeFileSync(join(directory, "f"), "");
  for (const path of ["/dev/null", "/tmp", join(directory, "d"), join(directory, "f")])
    t.match(await listed(path), {
      fault: "docker",
      message: `Docker's socket ${path} is not a socket`,
      remedy: /^set DOCKER_SOCKET/,
    });
  t.match(await listed(join(directory, "f/docker.sock")), {
    message: /does not exist$/,
    remedy: /set DOCKER_SOCKET/,
  });
  const long = join(directory, "x".repeat(120), "docker.sock");
  const error = await listed(long);
  t.match(error, { message: /has a path of more than 107 octets/, remedy: /shorter path/ });
  t.notMatch(error.message, /EINVAL|undefined/);
});

/** Status, body, version in DOCKER_API_URL; the message's end and the remedy. */
const REFUSALS: readonly (readonly [number, string, string | null, RegExp, RegExp])[] = [
  [500, "json: conversion failed", null, /\(status 500\): json: conversion failed$/, /Docker's log/],
  [500, "json: conversion failed", "v1.41", /conversion failed$/, /Docker's log/],
  [400, "client version 9.9 is too new", "v9.9", /is too new$/, /remove the version from DOCKER_API_URL/],
  [400, "client version 9.9 is too new", null, /is too new$/, /Docker's log/],
  [404, "page not found", "v1.41", /page not found$/, /remove the version from DOCKER_API_URL/],
  [404, "page not found", null, /page not found$/, /^let the socket proxy pass it, or set DOCKER_SOCKET/],
  [401, "", null, /\(status 401\): no message$/, /password/],
  [403, "forbidden", null, /forbidden$/, /let the socket proxy pass GET of \/containers/],
  [301, "", null, /\(status 301\): no message$/, /^set DOCKER_SOCKET to Docker's own socket/],
  [502, "", null, /\(status 502\): no message$/, /start Docker.*log of the socket proxy/],
  [
    503,
    "<!doctype html>\n<html><body><h1>503</h1>\nNo server</body></html>",
    null,
    /\(status 503\): 503 No server$/,
    /start Docker/,
  ],
  [500, "<".repeat(60_000), null, /\(status 500\): <+…$/, /Docker's log/],
];

t.test("a refused request: Docker's words without markup, and a remedy for each status", async (t) => {
  const path = "/containers/json";
  for (const [statusCode, text, version, message, remedy] of REFUSALS) {
    const cause = Object.assign(new Error(text), { statusCode });
    const error = dockerError({ socket: "/s", version }, cause, null, { path });
    t.match(error, { fault: "docker", message, remedy }, `${statusCode} ${text.slice(0, 40)}`);
    t.notMatch(error.remedy, /remove the path/, "the path is ignored anyway");
  }
  for (let statusCode = 300; statusCode < 600; statusCode++) {
    const cause = Object.assign(new Error(""), { statusCode });
    t.ok(dockerError({ socket: "/s", version: null }, cause, null, { path }).remedy, `${statusCode}`);
  }
});

t.test("an answer of another program: it is not said to have refused", async (t) => {
  const socket = join(place(t), "docker.sock");
  const engine = await startDockerDouble(socket, {
    containers: [],
    networks: [],
    instead: (_path, response) => {
      response.end("<html>It works!</html>");
      return true;
    },
  });
  t.teardown(() => engine.close());
  t.match(await listed(socket), {
    fault: "docker",
    message: /gave no valid answer to GET \/containers\/json: its answer is not a list of objects$/,
    remedy: /^set DOCKER_SOCKET to Docker's own socket/,
  });
});

t.test("a proxy that lets only GET pass: the reason has the remedy, and no markup", async (t) => {
  const socket = join(place(t), "docker.sock");
  const engine = await startDockerDouble(socket, {
    containers: [],
    networks: [],
    instead: (_path, response) => {
      response.writeHead(403).end("<html><body><h1>403 Forbidden</h1></body></html>\n");
      return true;
    },
  });
  t.teardown(() => engine.close());
  const error = await refusal(connectActions({ socket, version: null }).start(idOf("web")));
  t.equal(wordsOf(error), "403 Forbidden");
  t.equal(
    reasonOf(error),
    /POST/.test(error.message)
      ? "403 Forbidden; let the socket proxy pass POST of /containers and /exec"
      : "403 Forbidden; let the socket proxy pass GET of /containers, /networks, /events, /info and /version",
  );
  const post = Object.assign(new Error("port is already allocated"), { statusCode: 500 });
  const own = dockerError({ socket, version: null }, post, null, { method: "POST", path: "/x" });
  t.equal(reasonOf(own), "port is already allocated", "what Docker says of a container stands alone");
});
