// A whole `ocdd serve`, for the configuration in argv, whose main thread hangs on a message of the test.
import { readFileSync } from "node:fs";
import { readConfig } from "../../src/core/config/config.ts";
import { serveAll } from "../../src/serve/serve.ts";
import { NO_ACTIVATED_SOCKETS } from "../../src/serve/socket-activation.ts";

const file = process.argv[2] as string;
const text = readFileSync(file, "utf8");
const config = readConfig({ file, text, environment: new Map(), flags: [] });
process.on("message", () => {
  for (;;);
});
await serveAll(config, () => {}, new AbortController().signal, { handed: NO_ACTIVATED_SOCKETS });
