/** A frame of Docker's output as it is sent: stream, length, content (Engine API, ContainerAttach). */
export function frame(stream: number, text: string): Buffer {
  const content = Buffer.from(text);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(content.length, 4);
  return Buffer.concat([head, content]);
}
