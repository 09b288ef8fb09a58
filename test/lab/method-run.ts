/** A process that runs VALIDATE of a container, as a command of OCDD does: SOCKET CONTAINER DIRECTORY COMMAND. Prints the result as JSON. */
import { connectMethods } from "../../src/host/docker/methods.ts";
import { methodRunner } from "../../src/lifecycle/methods/run.ts";

const [socket = "", container = "", directory = "", text = ""] = process.argv.slice(2);
const runner = methodRunner({
  docker: connectMethods({ socket, version: null }),
  paths: { results: `${directory}/methods.json`, methods: `${directory}/methods` },
  now: Date.now,
  exists: () => true,
});
const action = { argv: ["sh", "-c", text] };
const method = { name: "validate", action, text, source: "test", timeout: 600 } as const;
process.stdout.write("begun\n");
const result = await runner.run({ container, method, by: "test" });
process.stdout.write(`${JSON.stringify({ ...result, rss: process.resourceUsage().maxRSS })}\n`);
