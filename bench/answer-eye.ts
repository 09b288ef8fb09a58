/**
 * Reports when an address begins to answer HTTP and when it stops: a new connection every 3 ms, none waits for another.
 *
 *     answer-eye.ts ADDRESS   → a line of JSON each: Turn
 */

import { connect } from "node:net";
import { clock } from "./clock.ts";

export interface Turn {
  readonly answers: boolean;
  /** Milliseconds on `clock`: of the first answer, or of the last one before the silence. */
  readonly at: number;
}

const PAUSE_MS = 3;
/** Without an answer for so long it has stopped. */
const SILENCE_MS = 300;

const [address = ""] = process.argv.slice(2);
let answers = false;
let last = 0;
const tell = (turn: Turn): void => void process.stdout.write(`${JSON.stringify(turn)}\n`);

function answered(): void {
  last = clock();
  if (answers) return;
  answers = true;
  tell({ answers, at: last });
}

setInterval(() => {
  if (answers && clock() - last > SILENCE_MS) {
    answers = false;
    tell({ answers, at: last });
  }
  const socket = connect({ host: address, port: 80 });
  socket.setTimeout(SILENCE_MS, () => socket.destroy());
  socket.on("connect", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  socket.once("data", () => {
    answered();
    socket.destroy();
  });
  socket.on("error", () => socket.destroy());
}, PAUSE_MS);
