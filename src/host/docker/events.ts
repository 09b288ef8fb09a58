/** Docker's stream of events, line by line. */
import { type DockerEvent, readEvent } from "./json.ts";

/** Octets of one event line at most; labels come with it. */
const LONGEST_EVENT = 4 * 1024 * 1024;

/** The events of a stream, line by line. A line that cannot be read is an event without content. */
export async function* eventsOf(stream: AsyncIterable<unknown>): AsyncGenerator<DockerEvent> {
  let rest = "";
  for await (const chunk of stream) {
    const lines = `${rest}${String(chunk)}`.split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST_EVENT) rest = "";
    for (const line of lines) if (line.trim() !== "") yield readEvent(line);
  }
}

/** Events after which a container's address, name or health may have changed: they say what to observe again. */
export const WAKING: Readonly<Record<string, readonly string[]>> = {
  type: ["container", "network"],
  event: [
    "create",
    "connect",
    "disconnect",
    "start",
    "die",
    "stop",
    "rename",
    "destroy",
    "health_status",
    "pause",
    "unpause",
  ],
};
