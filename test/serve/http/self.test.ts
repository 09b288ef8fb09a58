/** /self over real sockets: containers are other addresses of the loopback device, behind ports of a bridge made of files. */
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { serveHttp } from "../../../src/serve/http/server.ts";
import { freePorts } from "../peers.ts";
import { writeKernel } from "./kernel-files.ts";

const ZONE = "toolbox.example.com";
const A = "127.0.0.2";
const B = "127.0.0.3";

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly from?: string;
  readonly to?: string;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
}

/** Names of containers by address and port, as the director writes them. */
const selves = (...list: readonly (readonly [address: string, port: string, name: string])[]): string =>
  JSON.stringify({
    schemaVersion: 1,
    containers: list.map(([address, port, name]) => ({ at: [{ address, port }], self: { name } })),
  });

/** Which address has which hardware address, and on which port that is. */
const kernel = (
  directory: string,
  ...list: readonly (readonly [address: string, mac: string, port: number])[]
) =>
  writeKernel(
    directory,
    list.map(([address, mac]) => ({ address, mac, device: "br-a" })),
    { "br-a": { ports: { vetha: 1, vethb: 2 }, learned: list.map(([, mac, port]) => [mac, port] as const) } },
  );

const MAC_A = "02:00:00:00:00:0a";
const MAC_B = "02:00:00:00:00:0b";

async function site(t: Test, text: string | undefined) {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-self-"));
  const [port = 0] = await freePorts(1);
  const write = (next: string): void => {
    writeFileSync(join(directory, "self.new"), next);
    renameSync(join(directory, "self.new"), join(directory, "self.json"));
  };
  if (text !== undefined) write(text);
  const services = {
    schemaVersion: 1,
    version: "1",
    zone: ZONE,
    services: [{ name: "self", fqdn: `self.${ZONE}` }],
  };
  writeFileSync(join(directory, "services.json"), JSON.stringify(services));
  writeFileSync(join(directory, "index.html"), "<title>page</title>\n");
  const log: string[] = [];
  const server = await serveHttp({
    zone: ZONE,
    hostNames: [`dockerhost.${ZONE}`],
    listen: ["127.0.0.1", "::1"],
    port,
    indexFile: join(directory, "index.html"),
    servicesFile: join(directory, "services.json"),
    lastRunFile: join(directory, "last-run"),
    zoneFile: join(directory, "zone"),
    selfFile: join(directory, "self.json"),
    kernel: kernel(directory, [A, MAC_A, 1], [B, MAC_B, 2]),
    log: (level, message) => log.push(`${level}: ${message}`),
  });
  t.teardown(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  const ask = ({ from = A, to = "127.0.0.1", method = "GET", path = "/self", headers = {} }: Asked = {}) =>
    new Promise<Reply>((resolve, reject) => {
      const local = to === "127.0.0.1" ? { localAddress: from } : {};
      const options = { host: to, port, path, method, agent: false, ...local };
      const asked = request(
        { ...options, headers: { Host: `dockerhost.${ZONE}`, ...headers } },
        (response) => {
          let body = "";
          response.setEncoding("utf8");
          response.on("data", (chunk) => {
            body += chunk;
          });
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          );
        },
      );
      asked.on("error", reject);
      asked.end();
    });
  /** Asks until the answer is this one: the file is followed. */
  const until = async (asked: Asked, expected: (reply: Reply) => boolean): Promise<Reply> => {
    for (;;) {
      const reply = await ask(asked);
      if (expected(reply)) return reply;
      await sleep(10);
    }
  };
  return { directory, write, ask, until, log };
}

const BOTH = selves([A, "vetha", "a"], [B, "vethb", "b ü"]);

t.test("each container is told of itself, by its own address", async (t) => {
  const { ask } = await site(t, BOTH);
  const reply = await ask();
  t.equal(reply.status, 200);
  t.equal(reply.body, '{"name":"a"}\n');
  t.match(reply.headers, {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-length": "13",
  });
  t.equal(reply.headers.etag, undefined, "nothing to compare a cached copy with");
  t.equal(reply.headers["access-control-allow-origin"], undefined);
  t.equal((await ask({ from: B })).body, '{"name":"b ü"}\n');
  t.equal((await ask({ path: "/self?name=b" })).body, '{"name":"a"}\n', "a query changes nothing");
  t.equal((await ask({ headers: { Host: ZONE } })).body, '{"name":"a"}\n');
  t.equal((await ask({ headers: { "If-None-Match": "*" } })).status, 200);
});

t.test("headers that name another client: ignored", async (t) => {
  const { ask } = await site(t, BOTH);
  for (const name of ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "CF-Connecting-IP"]) {
    const value = name === "Forwarded" ? `for=${B}` : B;
    t.equal((await ask({ headers: { [name]: value } })).body, '{"name":"a"}\n', name);
    t.equal(
      (await ask({ from: "127.0.0.9", headers: { [name]: value } })).status,
      404,
      `${name} from elsewhere`,
    );
  }
});

t.test("all others: 404, the same for each, also where a service is called self", async (t) => {
  const { ask } = await site(t, BOTH);
  for (const from of ["127.0.0.1", "127.0.0.9", "127.0.0.20"]) {
    const reply = await ask({ from });
    t.equal(reply.status, 404, from);
    t.equal(reply.headers["cache-control"], "no-store");
    t.notMatch(reply.body, /127\.|name/);
  }
  t.equal((await ask({ to: "::1" })).status, 404, "IPv6");
  t.equal((await ask({ path: "/go/self" })).status, 302);
  t.equal((await ask({ path: "/self/" })).status, 302, "another path");
});

t.test("HEAD as GET without a body; other methods, another Host and a body are refused", async (t) => {
  const { ask } = await site(t, BOTH);
  const head = await ask({ method: "HEAD" });
  t.match(head, { status: 200, body: "", headers: { "content-length": "13", "cache-control": "no-store" } });
  t.match(await ask({ method: "HEAD", from: "127.0.0.9" }), { status: 404, body: "" });
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const reply = await ask({ method });
    t.match(reply, { status: 405, headers: { allow: "GET, HEAD" } }, method);
    t.notMatch(reply.body, "name");
  }
  t.equal((await ask({ headers: { Host: "evil.example" } })).status, 421);
  t.equal((await ask({ headers: { "Content-Length": "1" } })).status, 413);
});

t.test("an address that another container has by now: 404, whatever the file says", async (t) => {
  const { directory, ask, until, write } = await site(t, BOTH);
  t.equal((await ask()).status, 200);
  kernel(directory, [A, MAC_A, 2], [B, MAC_B, 2]);
  t.equal((await ask()).status, 404, "behind another port, with the same hardware address");
  kernel(directory, [A, MAC_B, 1], [B, MAC_B, 2]);
  t.equal((await ask()).status, 404, "with another container's hardware address");
  kernel(directory, [B, MAC_B, 2]);
  t.equal((await ask()).status, 404, "no longer a neighbour");
  t.equal((await ask({ from: B })).status, 200, "others are told as before");
  kernel(directory, [A, MAC_A, 1], [B, MAC_B, 2]);
  t.equal((await ask()).status, 200);
  write(selves([A, "vethb", "b"]));
  await until({ from: B }, ({ status }) => status === 404);
  t.equal((await ask()).status, 404, "the file has the address of one and the port of the other");
});

t.test("the file is followed: written, replaced, damaged, removed", async (t) => {
  const { directory, ask, until, write, log } = await site(t, undefined);
  t.equal((await ask()).status, 404);
  t.same(log, [], "that it is absent needs no message");
  write(BOTH);
  t.equal((await until({}, ({ status }) => status === 200)).body, '{"name":"a"}\n');
  write(selves([A, "vetha", "new"]));
  await until({}, ({ body }) => body === '{"name":"new"}\n');
  t.equal((await ask({ from: B })).status, 404);
  write("{");
  await until({}, ({ status }) => status === 404);
  write(BOTH);
  await until({}, ({ status }) => status === 200);
  rmSync(join(directory, "self.json"));
  await until({}, ({ status }) => status === 404);
  t.same(log, []);
});

t.test("a file that cannot be read: one warning", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ocdd-unreadable-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  // a file in place of the directory: also root cannot read beyond it
  writeFileSync(join(directory, "serve"), "");
  const { openSelves } = await import("../../../src/serve/http/self.ts");
  const log: string[] = [];
  const opened = openSelves(join(directory, "serve/self.json"), (level, message) =>
    log.push(`${level}: ${message}`),
  );
  t.equal(opened.find(A), undefined);
  t.equal(log.length, 1);
  t.match(log[0], /^warning: .*self\.json .*; no container is told about itself at \/self$/);
  opened.close();
});
