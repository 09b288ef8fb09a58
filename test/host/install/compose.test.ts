/** SERVICES=compose, with answers in the place of Docker's programs. */
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ConfigError, type HostError } from "../../../src/core/errors.ts";
import { requireMounted, startCompose, stopCompose } from "../../../src/host/install/compose.ts";
import { missing, type RunOptions, runWith } from "../../../src/host/kernel/run.ts";
import { config } from "../../core/make.ts";
import { refusal } from "../refusal.ts";

type Call = { readonly argv: readonly string[]; readonly options: RunOptions };

/** Has every program answered by `answer`; returns the calls. */
function programs(answer: (argv: readonly string[]) => { code: number; stderr: string }): Call[] {
  const calls: Call[] = [];
  runWith(async (argv, options) => {
    calls.push({ argv, options });
    return { stdout: "", ...answer(argv) };
  });
  return calls;
}

const PROGRESS = " director Pulling \n server Pulling \n director \u001b[31mWarning\u001b[0m\n";
const start = (more: Record<string, string> = {}): Promise<HostError> =>
  refusal(startCompose(config({ SERVICES: "compose", ...more }), () => undefined)) as Promise<HostError>;

t.test("a failure: Docker's own words, which come last, and for an image what to do", async (t) => {
  const fails = (last: string, status = 1) =>
    programs((argv) =>
      argv.includes("version") ? { code: 0, stderr: "" } : { code: status, stderr: `${PROGRESS}${last}\n\n` },
    );
  fails("Error response from daemon: pull access denied for ocdd");
  t.match(await start({ IMAGE: "registry.test/ocdd" }), {
    fault: "command",
    message:
      /^docker compose failed with exit status 1: Error response from daemon: pull access denied for ocdd$/,
    remedy: /^build the image registry\.test\/ocdd \(README.*, or set IMAGE$/,
  });
  fails(`\u001b[2J\u0007${"x".repeat(10_000)}`, 17);
  const { message, remedy } = await start();
  t.match(message, /^docker compose failed with exit status 17: /);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
  t.notMatch(message, /[\u0000-\u001f]/);
  t.ok(message.length < 400);
  t.equal(remedy, undefined);
  const [left = ""] = await stopCompose(config({ SERVICES: "compose" }));
  t.match(left, /^the OCDD compose app could not be stopped: docker compose failed/);
});

t.test("neither the plugin nor docker-compose: the package is named", async (t) => {
  runWith(async ([program]) => {
    if (program === "docker") return { code: 1, stdout: "", stderr: "'compose' is not a docker command" };
    throw missing(program);
  });
  t.match(await start(), { fault: "missing", remedy: "apt-get install docker-compose" });
});

t.test("compose: is given the file's directory, the storage, the socket and the image", async (t) => {
  const place = t.testdir({ "ocdd.conf": "", run: { "docker.sock": "" } });
  symlinkSync("ocdd.conf", join(place, "link.conf"));
  const calls = programs(() => ({ code: 0, stderr: "" }));
  const conf = config({ SERVICES: "compose", STORAGE_DIR: place, DOCKER_SOCKET: `${place}/run/docker.sock` });
  await startCompose({ ...conf, file: `${place}/link.conf` }, () => undefined);
  const { argv, options } = calls.at(-1) as Call;
  t.same(argv.slice(0, 2), ["docker", "compose"]);
  t.same(options.env, {
    OCDD_CONF_DIR: place,
    OCDD_CONF_NAME: "ocdd.conf",
    OCDD_STORAGE: place,
    OCDD_IMAGE: "ocdd",
    OCDD_SOCKET_DIR: join(place, "run"),
    OCDD_SOCKET_NAME: "docker.sock",
    DOCKER_HOST: `unix://${place}/run/docker.sock`,
  });
});

t.test("paths that the containers do not have: an error that names each, and what helps", async (t) => {
  const place = t.testdir({ state: { own: {} }, out: {} });
  symlinkSync("../out", join(place, "state/link"));
  const at = (path: string): string => join(place, path);
  const check = async (keys: Record<string, string>, services = "compose", file = at("ocdd.conf")) => {
    try {
      await requireMounted({ ...config({ SERVICES: services, STORAGE_DIR: at("state"), ...keys }), file });
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.problems.map(({ where, key, message }) => `${where} ${key} ${message}`);
    }
  };
  t.same(await check({}), []);
  const inside = { WEB_TEMPLATE_DIR: at("state/own"), DNS_TSIG_KEY_FILE: at("state/own/keys") };
  t.same(await check({ ...inside, DNS_ZONE_FILE: at("state/own/zone") }), []);
  const outside = {
    DNS_ZONE_FILE: at("out/zone"),
    WEB_INDEX_FILE: at("state/link/index.html"),
    WEB_TEMPLATE_DIR: at("statement"),
    DNS_TSIG_KEY_FILE: "/etc/ocdd/keys",
  };
  t.match(await check(outside), [
    /^ocdd\.conf:\d+ DNS_ZONE_FILE is .*\/out\/zone: the containers .* do not have it; it must be in STORAGE_DIR \(/,
    /WEB_INDEX_FILE is .*\/link\/index\.html, which leads to .*\/out\/index\.html: /,
    /WEB_TEMPLATE_DIR is .*\/statement: /,
    /DNS_TSIG_KEY_FILE is \/etc\/ocdd\/keys: /,
  ]);
  t.same(await check({ DNS_TSIG_KEY_FILE: "/etc/ocdd/keys" }, "compose", "/etc/ocdd/ocdd.conf"), []);
  t.match(await check({ STORAGE_DIR: `${at("state/link")}/../here` }), [
    /STORAGE_DIR is .*; write .*\/here$/,
  ]);
  t.same(await check(outside, "none"), []);
});
