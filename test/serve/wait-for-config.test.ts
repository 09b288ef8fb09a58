/** A bad configuration under socket activation: logged once, and serve waits instead of ending. */

import t from "tap";
import { ConfigError } from "../../src/core/errors.ts";
import { type ActivatedSockets, NO_ACTIVATED_SOCKETS } from "../../src/serve/socket-activation.ts";
import { readValidConfig } from "../../src/serve/wait-for-config.ts";

const SOCKETS: ActivatedSockets = { of: () => 3, unused: () => [] };
const bad = (message: string): ConfigError => new ConfigError([{ where: "ocdd.conf:1", message }]);
const nothing = (): void => undefined;

t.test("with sockets: it waits, and logs each mistake once", async (t) => {
  const reads = [bad("typo"), bad("typo"), bad("typo"), bad("another"), bad("another"), "good"];
  const said: string[] = [];
  const read = (): string => {
    const next = reads.shift();
    if (next instanceof ConfigError) throw next;
    return next as string;
  };
  const say = (_: string, message: string): void => void said.push(message);
  t.equal(await readValidConfig(read, SOCKETS, say, new AbortController().signal, 1), "good");
  t.match(said, [/typo/, /until the configuration is valid/, /another/, /until the configuration is valid/]);
  t.equal(said.length, 4, said.join("\n"));
});

t.test("without sockets of systemd a ConfigError is thrown", async (t) => {
  const never = new AbortController().signal;
  const read = (): never => {
    throw bad("typo");
  };
  await t.rejects(readValidConfig(read, NO_ACTIVATED_SOCKETS, nothing, never), ConfigError);
});

t.test("any other error: thrown in any case", async (t) => {
  const read = (): never => {
    throw new RangeError("a bug");
  };
  await t.rejects(readValidConfig(read, SOCKETS, nothing, new AbortController().signal), RangeError);
});

t.test("a stop ends the wait", async (t) => {
  const stop = new AbortController();
  const read = (): never => {
    setImmediate(() => stop.abort());
    throw bad("typo");
  };
  t.equal(await readValidConfig(read, SOCKETS, nothing, stop.signal, 3_600_000), undefined);
});
