/** Characters of a message at most: what it quotes may be as long as the file. */
const MAX_MESSAGE_LENGTH = 240;

/** Master-file text that cannot be read; the reader turns it into a problem with its line. */
export class ZoneTextError extends Error {
  override name = "ZoneTextError";

  constructor(message: string) {
    // the reason is at the end
    super(
      message.length <= MAX_MESSAGE_LENGTH
        ? message
        : `${message.slice(0, MAX_MESSAGE_LENGTH / 2)}...${message.slice(-MAX_MESSAGE_LENGTH / 2)}`,
    );
  }
}
