/** A silent server: the result of each round, and the check over real sockets. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import t, { type Test } from "tap";
import { parseName } from "../../../src/dns/wire/name.ts";
import { selfCheck } from "../../../src/serve/dns/self-check.ts";
import { type Finding, type Round, silenceCheck } from "../../../src/serve/dns/silence.ts";
import { until } from "../../lab/process.ts";

t.setTimeout(1_200_000);

/** Findings with the number of their round, for rounds such as `a3 s5`: a answered, s silent, d delayed, f silent in a flood. */
function findings(rounds: string): string[] {
  const check = silenceCheck();
  const found: string[] = [];
  let received = 0;
  let n = 0;
  for (const word of rounds.split(" "))
    for (let times = Number(word.slice(1)); times > 0; times--) {
      n++;
      if ("af".includes(word[0] as string)) received++;
      const round: Round = { answered: word[0] === "a", delayed: word[0] === "d", received };
      const finding: Finding | undefined = check.round(round);
      if (finding !== undefined) found.push(`${n} ${finding.kind} ${finding.rounds}`);
    }
  return found;
}

t.test(
  "rounds without an answer: logged after 5, failed after 30 in which nothing was received",
  async (t) => {
    t.strictSame(findings("a9"), []);
    t.strictSame(findings("a1 s4 a9"), [], "a short silence");
    t.strictSame(findings("a1 s7 a2"), ["6 silent 5", "9 recovered 7"]);
    t.strictSame(findings("a1 s30"), ["6 silent 5", "31 failed 30"]);
    t.strictSame(findings("a1 f99"), ["6 silent 5"], "a flood that fills the receive buffer is no failure");
    t.strictSame(findings("a1 f99 s30"), ["6 silent 5", "130 failed 129"], "silence after a flood is one");
    t.strictSame(findings("s99"), ["5 silent 5"], "own queries that never came through are no failure");
    t.strictSame(
      findings("a1 s29 d1 s29"),
      ["6 silent 5", "36 silent 5"],
      "a delayed round starts the count again",
    );
  },
);

/** A socket that answers every query while `on`, and a check of it whose log is kept. */
async function scene(t: Test) {
  const server: Socket = createSocket("udp4");
  const state = { on: true, received: 0 };
  server.on("message", (message, from) => {
    if (!state.on) return;
    state.received++;
    message[2] = (message[2] as number) | 0x80;
    server.send(message, from.port, from.address);
  });
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  const log: string[] = [];
  const failures: string[] = [];
  const count = { unanswered: 0 };
  const check = selfCheck(
    {
      addresses: ["127.0.0.1"],
      port: server.address().port,
      zone: parseName("example.org."),
      bound: () => true,
      received: () => state.received,
    },
    {
      log: (level, message) => void log.push(`${level}: ${message}`),
      failed: (reason) => void failures.push(reason),
      unanswered: () => void count.unanswered++,
    },
    0,
  );
  t.teardown(() => {
    check.close();
    server.close();
  });
  let now = 0;
  /** Rounds a second apart; where the server answers, the next round waits for its answer. */
  const rounds = async (times: number): Promise<void> => {
    for (let n = 0; n < times; n++) {
      const had = state.received;
      now += 1000;
      check.round(now);
      if (state.on) await until("the query arrives", () => state.received > had);
      // over loopback the answer is in our socket's queue by now: a turn of the loop reads it
      for (let turns = 0; turns < 2; turns++) await new Promise((done) => setImmediate(done));
    }
  };
  const delay = (milliseconds: number): void => {
    now += milliseconds;
  };
  return { state, log, failures, count, rounds, check, delay };
}

t.test("a socket that no longer answers: log, health, failure, in this order", async (t) => {
  const { state, log, failures, count, rounds, check } = await scene(t);
  await rounds(3);
  t.strictSame(log, []);
  t.equal(check.answering(), true);
  state.on = false;
  await rounds(6);
  t.match(log, [/^error: 127\.0\.0\.1:\d+\/udp has not answered its own queries for 5 s$/]);
  t.equal(check.answering(), false);
  t.equal(count.unanswered, 5);
  state.on = true;
  await rounds(2);
  t.match(log[1], /^info: .* answers its own queries again after 6 s$/);
  t.equal(check.answering(), true);
  state.on = false;
  await rounds(32);
  t.match(failures[0], /has neither received nor answered a query for 30 s$/);
});

t.test("a process that was stopped for an hour: a warning, no failure", async (t) => {
  const { state, log, failures, rounds, check, delay } = await scene(t);
  await rounds(2);
  state.on = false;
  await rounds(4);
  delay(3_600_000);
  await rounds(1);
  t.match(log, [/^warning: this process was stopped or its main thread blocked for 3601\.0 s$/]);
  t.strictSame(failures, []);
  state.on = true;
  await rounds(2);
  t.equal(check.answering(), true);
});
