/** Characters of a message at most: what it quotes may be as long as the file. */
const MOST = 240;

/** Master-file text that cannot be read; the reader turns it into a problem with its line. */
export class ZoneTextError extends Error {
  override name = "ZoneTextError";

  constructor(message: string) {
    // the reason stands at the end
    super(message.length <= MOST ? message : `${message.slice(0, MOST / 2)}...${message.slice(-MOST / 2)}`);
  }
}
