/**
 * Runs `ocdd update SERVICE` on this host when a webhook calls: that of GitHub, Gitea, Forgejo or GitLab. Needs nothing but Node.
 *
 *   LISTEN=127.0.0.1:9053 SECRET_FILE=/etc/ocdd/dns-hook.secret SERVICE=dns node hook.mjs
 *
 * It speaks plain HTTP: let it listen on an internal network, or on loopback behind a proxy that speaks TLS. Nothing of a request is
 * used but its signature; one that is sent again runs UPDATE again.
 */
import { execFile } from "node:child_process";
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";

/** Octets of a body, characters of a secret at least, connections at once. */
const MOST_BODY = 1 << 20;
const LEAST_SECRET = 16;
const MOST_CONNECTIONS = 32;
/** Milliseconds. */
const REQUEST_MS = 10_000;
const UPDATE_MS = 600_000;
/** Octets that `ocdd update` may print, lines of it that are logged. */
const MOST_OUTPUT = 32 << 20;
const MOST_LINES = 20;

const service = process.env.SERVICE ?? "dns";
const listen = /^\[?([\d.]+|[\da-f:]+)\]?:(\d{1,5})$/i.exec(process.env.LISTEN ?? "");
if (listen === null) refuse("LISTEN=ADDRESS:PORT is missing: 127.0.0.1:9053, or [::1]:9053");
if (!/^[a-z0-9][a-z0-9._-]*$/i.test(service)) refuse(`SERVICE=${service} is no name of a service`);
const secret = readSecret(process.env.SECRET_FILE ?? "");

const log = (line) => process.stdout.write(`${line}\n`);

function refuse(reason) {
  process.stderr.write(`hook: ${reason}\n`);
  process.exit(78);
}

function readSecret(file) {
  try {
    if ((statSync(file).mode & 0o077) !== 0) refuse(`SECRET_FILE=${file} can be read by others: chmod 600`);
    const text = readFileSync(file, "utf8").trim();
    if (text.length < LEAST_SECRET) refuse(`SECRET_FILE=${file} has fewer than ${LEAST_SECRET} characters`);
    return text;
  } catch (error) {
    return refuse(`SECRET_FILE=${file} cannot be read: ${error.code}`);
  }
}

const hmac = (octets) => createHmac("sha256", secret).update(octets).digest();

/** GitHub's header holds the body's HMAC, and so does Gitea's and Forgejo's; GitLab's holds the secret itself. */
function isGenuine(headers, body) {
  const signature = headers["x-hub-signature-256"];
  const token = headers["x-gitlab-token"];
  if (signature !== undefined) {
    const [, digits] = /^sha256=([\da-f]{64})$/.exec(signature) ?? [];
    return digits !== undefined && timingSafeEqual(Buffer.from(digits, "hex"), hmac(body));
  }
  // the HMACs have one length, whatever was sent
  return token !== undefined && timingSafeEqual(hmac(token), hmac(secret));
}

/** The body, read to its end; undefined where it is too large. */
async function bodyOf(request) {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length <= MOST_BODY) parts.push(part);
  }
  return length <= MOST_BODY ? Buffer.concat(parts) : undefined;
}

let running = false;
let again = false;

/** One run at a time. A request meanwhile may be for a later commit: one more run follows, however many there were. */
function update() {
  if (running) {
    again = true;
    return "remembered";
  }
  running = true;
  const options = { timeout: UPDATE_MS, maxBuffer: MOST_OUTPUT };
  execFile("ocdd", ["update", service], options, (error, stdout, stderr) => {
    const lines = `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim() !== "");
    for (const line of lines.slice(-MOST_LINES)) log(`  ${line.replace(/\p{Cc}/gu, "?")}`);
    log(`update of ${service}: ${error === null ? "done" : `failed (${error.signal ?? error.code})`}`);
    running = false;
    if (again) {
      again = false;
      update();
    }
  });
  return "begun";
}

async function answer(request, response) {
  const end = (status, text, headers = {}) => {
    log(`${request.socket.remoteAddress}: ${status} ${text}`);
    response.writeHead(status, { "Content-Type": "text/plain", Connection: "close", ...headers });
    response.end(`${text}\n`);
  };
  if (request.method !== "POST") return end(405, "only POST", { Allow: "POST" });
  const body = await bodyOf(request);
  if (body === undefined) return end(413, `more than ${MOST_BODY} octets`);
  if (!isGenuine(request.headers, body)) return end(403, "no signature, or a wrong one");
  return end(202, `update of ${service}: ${update()}`);
}

const server = createServer(
  { requestTimeout: REQUEST_MS, connectionsCheckingInterval: 1000 },
  (request, response) => {
    // a client that has gone away gets no answer
    answer(request, response).catch(() => request.destroy());
  },
);
server.maxConnections = MOST_CONNECTIONS;
server.on("error", (error) => refuse(`cannot listen on ${process.env.LISTEN}: ${error.code}`));
server.listen(Number(listen[2]), listen[1], () =>
  log(`listens on ${listen[1]} port ${server.address().port}`),
);
