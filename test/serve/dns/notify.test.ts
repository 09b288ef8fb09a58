/** NOTIFY to a secondary whose answers the test gives (RFC 1996). */
import { createSocket, type RemoteInfo } from "node:dgram";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import t, { type Test } from "tap";
import { tsigOfResponse } from "../../../src/dns/message/query.ts";
import { respond } from "../../../src/dns/message/respond.ts";
import type { TsigKey } from "../../../src/dns/message/tsig.ts";
import { nameKey, parseName } from "../../../src/dns/wire/name.ts";
import { RCODE } from "../../../src/dns/wire/types.ts";
import { notifier } from "../../../src/serve/dns/notify.ts";
import { readMessage } from "../../dns/message.ts";
import { authorityOf, UDP } from "../../dns/zones.ts";
import { until } from "../../lab/process.ts";

t.setTimeout(1_200_000);

const ZONE = parseName("example.org.");
const KEY: TsigKey = {
  name: parseName("told."),
  algorithm: "hmac-sha256",
  secret: new Uint8Array(32).fill(5),
};
const KEYS = new Map([[nameKey(KEY.name), KEY]]);

/** What a secondary without signatures answers. */
function plain(message: Buffer, rcode: number = RCODE.NOERROR): Buffer {
  const answer = Buffer.from(message);
  answer[2] = (answer[2] as number) | 0x80;
  answer[3] = rcode;
  return answer;
}

/** A notifier and its only secondary, which answers what `replies` says. */
async function scene(t: Test, key?: string) {
  const heard: { message: Buffer; from: RemoteInfo }[] = [];
  const socket = createSocket("udp4");
  const secondary = { replies: (_message: Buffer): Uint8Array[] => [] };
  const answer = (octets: Uint8Array, to = heard.at(-1)) => socket.send(octets, to?.from.port, "127.0.0.1");
  socket.on("message", (message, from) => {
    heard.push({ message, from });
    for (const reply of secondary.replies(message)) answer(reply);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const logs: string[] = [];
  const target = { address: "127.0.0.1", port: socket.address().port, key };
  const told = notifier([target], KEYS, (level, message) => logs.push(`${level}: ${message}`));
  t.teardown(() => {
    told.close();
    socket.close();
  });
  const next = async (what: string) => {
    const had = heard.length;
    await until(what, () => heard.length > had);
    return heard.at(-1)?.message as Buffer;
  };
  /** Nothing comes any more: longer than the wait before the next retry, which is known to be short. */
  const quiet = async (wait: number) => {
    const had = heard.length;
    await sleep(wait);
    return heard.length === had;
  };
  return { heard, told, secondary, answer, next, quiet, logs };
}

t.test("NOTIFY is retried until it is acknowledged, and not after that", async (t) => {
  const { heard, told, secondary, answer, next, quiet, logs } = await scene(t);
  const behind = () => told.secondaries().map((one) => one.behind);
  t.same(told.secondaries(), []);
  told.notify(ZONE, 8);
  t.match(told.secondaries(), [{ secondary: /^127\.0\.0\.1@\d+$/, zone: "example.org", behind: true }]);
  const first = await next("the first");
  const second = await next("a retry");
  const third = await next("another one");
  const read = readMessage(third);
  t.strictSame(
    [(read.flags >>> 11) & 15, read.questions],
    [4, [{ name: "example.org.", type: 6, class: 1 }]],
  );
  t.not(
    first.readUInt16BE(0) === second.readUInt16BE(0) && second.readUInt16BE(0) === third.readUInt16BE(0),
    true,
  );
  // A machine that is slow may have sent one more by now.
  secondary.replies = (message) => [plain(message)];
  answer(plain(third));
  while (!(await quiet(2500)));
  t.ok(heard.length <= 4, "the next one would have come after 2 s, and one more after 4 s");
  t.strictSame(logs, [], "a short silence is no news");
  t.same(behind(), [false]);
  secondary.replies = (message) => [plain(message, RCODE.REFUSED)];
  told.notify(ZONE, 9);
  t.same(behind(), [true], "it has not acknowledged the new serial");
  await until("it says no", () => logs.length === 1);
  t.match(logs, [/^warning: secondary 127.0.0.1@\d+ refuses NOTIFY \(rcode 5\)$/]);
  t.ok(await quiet(1000), "and need not be notified again");
  t.same(behind(), [true], "it does not fetch the zone when it is notified");
  secondary.replies = (message) => [plain(message)];
  told.notify(ZONE, 10);
  await until("it has acknowledged", () => behind()[0] === false);
});

t.test("a secondary without an answer is logged once, and so is its answer", async (t) => {
  const { told, secondary, logs } = await scene(t);
  secondary.replies = (message) => (logs.length === 0 ? [] : [plain(message)]);
  told.notify(ZONE, 8);
  await until("its answer is logged", () => logs.length === 2);
  t.match(logs, [
    /^warning: secondary \S+ does not acknowledge NOTIFY of serial 8; retrying until it does$/,
    /^info: secondary \S+ acknowledges NOTIFY of serial 8$/,
  ]);
});

t.test("a message that is no acknowledgement is ignored", async (t) => {
  const { told, answer, next, heard } = await scene(t);
  const otherHost = createSocket("udp4");
  t.teardown(() => otherHost.close());
  told.notify(ZONE, 8);
  const message = await next("the first");
  otherHost.send(plain(message), heard[0]?.from.port, "127.0.0.1");
  answer(message); // a query
  const query = plain(message);
  query[2] = 0x84; // an answer to a query
  answer(query);
  const other = plain(message);
  other[0] = (other[0] as number) ^ 1;
  answer(other);
  answer(Buffer.from("nonsense"));
  await next("a retry");
  t.pass();
});

t.test("a secondary with a key acknowledges with the key", async (t) => {
  const { told, secondary, quiet, logs } = await scene(t, "told");
  secondary.replies = (message) => [plain(message)];
  told.notify(ZONE, 8);
  await until("it is logged", () => logs.length === 1);
  t.match(logs, [
    /^warning: secondary \S+ answers NOTIFY without the signature of key told \(rcode 0\); retrying$/,
  ]);
  secondary.replies = (message) => {
    t.ok(tsigOfResponse(message) > 0, "NOTIFY is signed");
    // The answer of OCDD's own server to a NOTIFY with this key: NOTIMP, signed.
    const out = new Uint8Array(512);
    const via = { ...UDP, now: Math.floor(Date.now() / 1000) };
    const signed = out.slice(0, respond(authorityOf({ keys: KEYS }), via, message, out));
    const forged = signed.slice();
    forged[forged.length - 10] = (forged[forged.length - 10] as number) ^ 1;
    return [forged, signed];
  };
  await until("it arrives", () => logs.length === 2);
  t.match(logs[1], /refuses NOTIFY \(rcode 4\)$/);
  t.ok(await quiet(1500));
});
