/** IT's name server: a BIND that resolves for the office and delegates the toolbox zone to the Docker host. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DOMAIN, HOST_ADDRESS, IT_ADDRESS, namespace, namespaceFile, ZONE } from "./network.ts";
import { type Daemon, run, spawn, until } from "./process.ts";

/** No internet here: a private root. with rndc a test flushes the resolver's cache. */
const config = (directory: string): string => `
key "lab" { algorithm hmac-sha256; secret "bGFi"; };
controls { inet 127.0.0.1 port 953 allow { 127.0.0.1; } keys { "lab"; }; };
options {
  directory "${directory}"; pid-file "${directory}/named.pid"; session-keyfile "${directory}/session.key";
  listen-on { ${IT_ADDRESS}; 127.0.0.1; }; listen-on-v6 { none; };
  recursion yes; allow-recursion { any; }; allow-query { any; };
  dnssec-validation no; empty-zones-enable no; qname-minimization off;
};
zone "." { type primary; file "${directory}/root.zone"; };
zone "${DOMAIN}" { type primary; file "${directory}/${DOMAIN}.zone"; };
`;

const head = (name: string): string => `$TTL 3600
@ IN SOA it.${DOMAIN}. hostmaster.${DOMAIN}. 1 3600 600 86400 60
@ IN NS it.${DOMAIN}.
${name} IN A ${IT_ADDRESS}
`;

/** The two records that the user's IT enters, once, are the last two. */
const officeZone = `${head("it")}www IN A ${IT_ADDRESS}
toolbox IN NS dockerhost.${ZONE}.
dockerhost.toolbox IN A ${HOST_ADDRESS}
`;

/** Start BIND in `it`; returns when it answers. */
export async function startNames(prefix: string, labDirectory: string): Promise<Daemon> {
  const directory = join(labDirectory, "it");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "named.conf"), config(directory));
  writeFileSync(join(directory, "root.zone"), `${head(`it.${DOMAIN}.`)}${DOMAIN}. IN NS it.${DOMAIN}.\n`);
  writeFileSync(join(directory, `${DOMAIN}.zone`), officeZone);
  writeFileSync(
    join(directory, "rndc.conf"),
    `key "lab" { algorithm hmac-sha256; secret "bGFi"; };\noptions { default-key "lab"; default-server 127.0.0.1; };\n`,
  );
  const inside = ["nsenter", `--net=${namespaceFile(namespace(prefix, "it"))}`];
  const named = spawn(labDirectory, "named", [
    ...inside,
    "named",
    "-f",
    "-n",
    "1",
    "-c",
    join(directory, "named.conf"),
  ]);
  const probe = [...inside, "dig", "+short", "+time=1", "+tries=1", `@${IT_ADDRESS}`, `it.${DOMAIN}`];
  await until("IT's name server answers", async () => {
    if (!named.running()) throw new Error(`named has ended:\n${named.output()}`);
    return (await run(probe, { check: false })).stdout === IT_ADDRESS;
  });
  return named;
}

/** Flush what IT's resolver has cached from the Docker host. */
export async function flushNames(prefix: string, labDirectory: string): Promise<void> {
  const inside = ["nsenter", `--net=${namespaceFile(namespace(prefix, "it"))}`];
  await run([...inside, "rndc", "-c", join(labDirectory, "it", "rndc.conf"), "flush"]);
}
