/** Says where it runs, and ends by itself when it has not been visited for some time. Needs nothing but Node. */
import { createServer } from "node:http";
import { hostname, networkInterfaces } from "node:os";

const PORT = Number(process.env.PORT ?? 9000);
const UNITS = { s: 1, m: 60, h: 3600 };

/** `90s`, `1m` or `2h` in milliseconds; 0 is never. */
function milliseconds(text) {
  const [, number, unit] = /^(\d{1,6})([smh]?)$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`IDLE=${text} is no duration: 90s, 1m, 2h, or 0 for never`);
  return Number(number) * (UNITS[unit] ?? 1) * 1000;
}

const idle = milliseconds(process.env.IDLE ?? "1m");
let requested = 0;
let last = performance.now();
const left = () => (idle === 0 ? null : Math.max(0, Math.ceil((last + idle - performance.now()) / 1000)));

function address() {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((one) => one?.family === "IPv4" && !one.internal)?.address ?? null;
}

const answers = {
  "/": () => {
    requested += 1;
    last = performance.now();
    return {
      hostname: hostname(),
      "IP address": address(),
      "connection string": process.env.CONNSTR ?? null,
      requested,
    };
  },
  // no visit: health checks ask for it
  "/status": () => ({ status: "ok", left: left(), requested }),
};

const server = createServer((request, response) => {
  const answer = request.method === "GET" ? answers[new URL(request.url, "http://app").pathname] : undefined;
  response.statusCode = answer === undefined ? 404 : 200;
  response.setHeader("Content-Type", "application/json");
  response.end(`${JSON.stringify(answer?.() ?? { error: "not found" })}\n`);
});

/** Takes no new connection, and ends when the last request has been answered. */
function end(reason) {
  process.stdout.write(`${reason}\n`);
  server.close();
  server.closeIdleConnections();
}

function look() {
  if (server.listening && left() === 0) end("not visited: ends");
  else if (server.listening) setTimeout(look, 250);
}

for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => end(`${signal}: ends`));
server.listen(PORT, () => {
  process.stdout.write(`listens on port ${server.address().port}\n`);
  if (idle > 0) look();
});
