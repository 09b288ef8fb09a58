/** Checks of the index page: is it served, and by which names. */
import { Resolver } from "node:dns/promises";
import { hostname } from "node:os";
import { clip } from "../../core/clip.ts";
import type { Config } from "../../core/config/config.ts";
import { isDomain } from "../../core/config/values.ts";
import { startRemedy } from "../../host/install/manager.ts";
import { bad, type Finding, good, none } from "./finding.ts";
import { ANSWER_TIMEOUT_MS, codeOf, type Place, page, servedPage } from "./served.ts";

/** Names of the host that are tried: a resolver may return any number of them. */
const MAX_NAMES = 4;

type Web = Pick<
  Config,
  "services" | "webListen" | "webPort" | "zone" | "webEnabled" | "indexFile" | "storageDir"
>;

function placeOf(config: Web, host: string): Place {
  const address = config.webListen.map((listen) => (listen === "HOST_IP" ? host : listen))[0] ?? host;
  return { address, port: config.webPort };
}

/** Status of the page when it is requested by this name, or why there is none. */
function statusFor(name: string, at: Place): Promise<number | string> {
  return page(at, name).then(({ status }) => status, codeOf);
}

/** Is the index page served, and OCDD's? */
export async function webServer(config: Web, host: string): Promise<Finding> {
  const subject = "web server";
  if (!config.webEnabled) return none(subject, "WEB_ENABLED is 0");
  const at = placeOf(config, host);
  const where = `http://${at.address}:${at.port}/`;
  const status = await statusFor(config.zone, at);
  if (status !== 200)
    return bad(
      subject,
      `${where} does not send the index page (${status})`,
      `${startRemedy(config, "serve")}; if it runs, its log names the process that holds the port`,
    );
  const served = await servedPage(config, at);
  if (served.state === "current") return good(subject, `${where} answers`);
  const message = `${where} answers, but not with the page that OCDD wrote`;
  return { ...bad(subject, message, `see which process holds port ${at.port} (ss -lntp)`), other: true };
}

/** Names that users may have for this host: its own, and those that the resolver has for its address. */
export async function namesOfHost(host: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: ANSWER_TIMEOUT_MS, tries: 1 });
  const found = await resolver.reverse(host).catch(() => []);
  const names = [hostname(), ...found].map((name) => name.toLowerCase().replace(/\.$/, ""));
  // a text that is no host name cannot be one of the page's
  return [...new Set(names)].filter(isDomain).slice(0, MAX_NAMES);
}

/** A note for each of these names that the page is not served for. It is no failure: the name may be meant for something else. */
export async function pageNames(config: Web, host: string, names: readonly string[]): Promise<Finding[]> {
  if (!config.webEnabled) return [];
  const at = placeOf(config, host);
  const statuses = await Promise.all(names.map((name) => statusFor(name, at)));
  return names
    .filter((_, i) => statuses[i] === 421)
    .map((name) =>
      none(
        "web server",
        `http://${clip(name)}/ is answered with 421 (unknown host name); if that is this host, add ${clip(name)} to WEB_NAMES`,
      ),
    );
}
