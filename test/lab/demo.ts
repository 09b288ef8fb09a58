/**
 * The demo: an office network, a Docker host, IT's name server, three services (two of them on the same port), and a PC
 * that reaches each by its own name. `npm run demo`; everything is removed at the end.
 */

import { writeSync } from "node:fs";
import { raiseLab } from "./lab.ts";
import { printed } from "./process.ts";

const say = (text = ""): void => void writeSync(1, `${text}\n`);
const indent = (text: string): string => text.replace(/^(?=.)/gm, "    ").trimEnd();

if (process.getuid?.() !== 0) {
  say("the demo needs root: it makes network namespaces and runs Docker");
  process.exit(1);
}
say("An office network: a Docker host (192.168.122.200), IT's name server (.2), an office PC (.50).");
say(
  "IT has delegated toolbox.example.com to the host and assigned it the addresses 192.168.122.11 to .30.\n",
);
await using lab = await raiseLab({ name: "demo" });

const host = async (command: string): Promise<void> => {
  say(`host# ocdd ${command}`.trimEnd());
  const { code, stdout, stderr } = await lab.ocdd(command === "" ? [] : command.split(" "));
  say(indent(printed(stdout, stderr)) || "    (nothing)");
  if (code !== 0) throw new Error(`ocdd ${command} ended with status ${code}`);
  say();
};
const pc = async (...argv: string[]): Promise<string> => {
  say(`pc$ ${argv.join(" ")}`);
  const { stdout } = await lab.runFully("client", argv);
  say(`${indent(stdout)}\n`);
  return stdout;
};

say("Three containers start, two of them on port 8080. No port is published.\n");
const services = [
  { name: "example_artifactory_1", service: "artifactory", port: 8080, page: "Artifactory" },
  { name: "example_jenkins_1", service: "jenkins", port: 8080, page: "Jenkins" },
  { name: "example_www_1", service: "www", port: 80, page: "the company's home page" },
];
for (const { name, service, port, page } of services) {
  await lab.startContainer({
    name,
    compose: { project: "example", service },
    env: { PORT: String(port), PAGE: page },
    args: ["--expose", String(port)],
  });
}
say("host# docker ps --format '{{.Names}}: {{.Ports}}'");
say(`${indent(await lab.docker("ps", "--format", "{{.Names}}: {{.Ports}}"))}\n`);

await host("initialize");
say("host# ocdd serve &\n");
await lab.serve();
await host("");

say("Now from the PC, which uses IT's name server as always:\n");
for (const { service, port, page } of services) {
  const fqdn = `${service}.toolbox.example.com`;
  const address = await pc("dig", "+short", fqdn);
  if (!/^192\.168\.122\.\d+\n?$/.test(address)) throw new Error(`${fqdn} has no address`);
  const answer = await pc("curl", "--silent", "--show-error", `http://${fqdn}:${port}/`);
  if (answer.trim() !== page) throw new Error(`${fqdn} answered "${answer}", not "${page}"`);
}
const page = await lab.runFully("client", ["curl", "--silent", "http://toolbox.example.com/"]);
say("pc$ curl --silent http://toolbox.example.com/ | sed 's/<[^>]*>//g' | grep '^\\*'");
say(
  `${indent(
    page.stdout
      .replace(/<[^>]*>/g, "")
      .split("\n")
      .filter((line) => line.startsWith("* - "))
      .join("\n"),
  )}\n`,
);

say(
  "A container is stopped and another is started; other services are not affected. The second run has nothing to do.\n",
);
await lab.docker("stop", "example_www_1");
await lab.startContainer({ name: "example_wiki_1", compose: { project: "example", service: "wiki" } });
await host("plan");
await host("apply");
await host("plan --detailed-exitcode");
await host("list");
await host("doctor jenkins");

say("Everything is removed:\n");
await host("teardown --yes");
say("The demo has ended; the lab is removed.");
