/** Master-file text that cannot be read; the reader turns it into a problem with its line. */
export class ZoneTextError extends Error {
  override name = "ZoneTextError";
}
