/** Checks that send a query: name server, delegation, forwarders. */
import { getServers } from "node:dns";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { startRemedy } from "../../host/install/manager.ts";
import { bad, type Finding, good } from "./finding.ts";
import { asking, codeOf, servedZone } from "./served.ts";

/** Does the name server answer for the zone, with what the zone file holds? */
export async function nameServer(config: Config, host: string): Promise<Finding> {
  const subject = "name server";
  const at = { address: nameServerAt(config, host), port: config.dnsPort };
  const where = `${at.address} port ${at.port}`;
  const served = await servedZone(config, at);
  switch (served.state) {
    case "current":
      return good(subject, `${where} answers for ${config.zone}, serial ${served.sent}`);
    case "other":
      return {
        ...bad(
          subject,
          `${where} answers with serial ${served.sent}, but ${config.zoneFile} has serial ${served.kept}`,
          `see which process holds port ${at.port} (ss -lnup); if it is \`ocdd serve\`, its log says why the file is not served`,
        ),
        other: true,
      };
    case "silent":
      return bad(
        subject,
        `${where} does not answer for ${config.zone} (${served.why})`,
        `${startRemedy(config, "serve")}; if it runs, its log names the process that holds the port`,
      );
  }
}

/** Where the name server is asked: at the first address that it is to listen on. */
export function nameServerAt({ dnsListen }: Pick<Config, "dnsListen">, host: string): string {
  return dnsListen.map((listen) => (listen === "HOST_IP" ? host : listen))[0] ?? host;
}

/** Does this host's resolver find the zone here? */
export async function delegation(config: Config, host: string): Promise<Finding> {
  const parent = config.zone.split(".").slice(1).join(".");
  const apex = `${config.hostName}.${config.zone}`;
  const remedy = `ask IT to add to their zone ${parent}:  ${config.zone}. IN NS ${apex}.   and   ${apex}. IN A ${host}`;
  try {
    const [soa, addresses] = await Promise.all([asking().resolveSoa(config.zone), asking().resolve4(apex)]);
    if (soa.nsname.toLowerCase() === apex && addresses.includes(host)) {
      return good("delegation", `this host's resolver finds ${config.zone} at ${host}`);
    }
    return bad(
      "delegation",
      `${config.zone} is delegated to ${clip(soa.nsname)} (${addresses.join(", ")}), not to ${host}`,
      remedy,
    );
  } catch (error) {
    const code = codeOf(error);
    return RESOLVER_DOWN.has(code)
      ? bad(
          "delegation",
          `this host's resolver does not answer (${code})`,
          `check the name servers in /etc/resolv.conf: ${getServers()
            .map((one) => clip(one))
            .join(", ")}`,
        )
      : bad("delegation", `this host's resolver finds no ${config.zone} (${code})`, remedy);
  }
}

/** Codes of a resolver that has not answered at all: nothing is known of the records at IT. */
const RESOLVER_DOWN: ReadonlySet<string> = new Set(["ETIMEOUT", "ECONNREFUSED"]);

/** Codes of a resolver that has answered: it has no such name, or no such record. */
const ANSWERED: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

/** Does each resolver of DNS_FORWARDERS answer, and the name server through them? Nothing where the key is not set. */
export async function forwarders(
  config: Pick<Config, "forwarders" | "zone" | "dnsListen" | "dnsPort">,
  host: string,
): Promise<Finding[]> {
  if (config.forwarders.length === 0) return [];
  const subject = "forwarders";
  // outside of the zone, and a name that every resolver here should know
  const parent = config.zone.split(".").slice(1).join(".") || "example.com";
  const failure = (server: string): Promise<string | undefined> =>
    asking(server)
      .resolve4(parent)
      .then(() => undefined, codeOf)
      .then((code) => (code === undefined || ANSWERED.has(code) ? undefined : code));
  const names = config.forwarders.map(({ address, port }) => endpointOf(address, port));
  const silent = (await Promise.all(names.map(failure))).flatMap((code, i) =>
    code === undefined ? [] : [`${names[i]} does not answer for ${parent} (${code})`],
  );
  if (silent.length > 0)
    return [
      bad(subject, silent.join("; "), "correct DNS_FORWARDERS, or ask IT which resolvers this host may use"),
    ];
  const address = nameServerAt(config, host);
  const code = await failure(endpointOf(address, config.dnsPort));
  return code === undefined
    ? [good(subject, `${names.join(", ")} answer, also through ${address}`)]
    : [
        bad(
          subject,
          `they answer, but ${address} port ${config.dnsPort} does not forward ${parent} (${code})`,
          "restart `ocdd serve`: it reads DNS_FORWARDERS when it starts",
        ),
      ];
}

/** In the form of Resolver.setServers. */
function endpointOf(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
