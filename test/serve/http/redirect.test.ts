/** Redirects by path and cookie to a service's own URL, over a socket, from the director's own services.json. */
import { connect } from "node:net";
import t, { type Test } from "tap";
import { BARE_TEMPLATE } from "../../../src/core/page/template.ts";
import { redirectOf, serviceUrls } from "../../../src/serve/http/redirect.ts";
import { openSite, type Site } from "../../browser/site.ts";
import { container, ZONE } from "../../core/make.ts";
import { sampleDecision } from "../../core/page-sample.ts";

const all = [
  container({
    name: "wiki",
    labels: new Map([
      ["ocdd.url", "/?start"],
      ["ocdd.aliases", "docs"],
    ]),
    ports: [{ protocol: "tcp", port: 80 }],
  }),
  container({ name: "jenkins", at: "172.17.0.3", ports: [{ protocol: "tcp", port: 8080 }] }),
  container({ name: "db", at: "172.17.0.4", ports: [{ protocol: "tcp", port: 5432 }] }),
  container({ name: "events", at: "172.17.0.5" }),
  container({ name: "hidden", at: "172.17.0.6", labels: new Map([["ocdd.hide", "true"]]) }),
];
const WIKI = `http://wiki.${ZONE}`;

async function open(t: Test, fallbackUrl = ""): Promise<Site> {
  const site = await openSite(sampleDecision(all, BARE_TEMPLATE), { fallbackUrl });
  t.teardown(() => site.close());
  return site;
}

/** The head of the reply to these octets as a request's target. */
function head(site: Site, target: string, headers: readonly string[] = [], host = ZONE): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = [`GET ${target} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...headers];
    const socket = connect(Number(new URL(site.url).port), "127.0.0.1", () =>
      socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1"),
    );
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (part) => {
      text += part;
    });
    socket.on("end", () => resolve(text.split("\r\n\r\n")[0] ?? ""));
    socket.on("error", reject);
  });
}

/** Where a request is led; its status where it is not. */
async function led(
  site: Site,
  target: string,
  headers: readonly string[] = [],
  host = ZONE,
): Promise<string> {
  const reply = await head(site, target, headers, host);
  const status = /^HTTP\/1.1 (\d+)/.exec(reply)?.[1] ?? "";
  if (status !== "302") return status;
  return /^Location: (.*)$/m.exec(reply)?.[1]?.trim() ?? "no Location";
}

t.test("/go/NAME, /NAME and the cookie instance: the service's own URL, path and query kept", async (t) => {
  const site = await open(t);
  for (const [target, location] of [
    ["/go/wiki", `${WIKI}/?start`],
    ["/go/wiki/", `${WIKI}/?start`],
    ["/go/wiki/a/b?c=d&e=/f", `${WIKI}/a/b?c=d&e=/f`],
    ["/go/wiki?c=d", `${WIKI}/?c=d`],
    ["/go/Wiki/A", `${WIKI}/A`],
    ["/go/docs/a", `${WIKI}/a`],
    ["/wiki/a", `${WIKI}/a`],
    ["/wiki", `${WIKI}/?start`],
    ["/jenkins/job/x", `http://jenkins.${ZONE}:8080/job/x`],
    ["/go/db", `http://db.${ZONE}/`],
    ["/go/events", `http://events.${ZONE}/`],
    ["/events/x", `http://events.${ZONE}/x`],
  ] as const)
    t.equal(await led(site, target), location, target);
  for (const [cookie, location] of [
    ["instance=wiki", `${WIKI}/?c=d`],
    ["a=b; instance=jenkins; c=d", `http://jenkins.${ZONE}:8080/?c=d`],
    ['instance="WIKI"', `${WIKI}/?c=d`],
  ] as const)
    t.equal(await led(site, "/?c=d", [`Cookie: ${cookie}`]), location, cookie);
  t.equal(await led(site, "/wiki/a", [], "localhost"), `${WIKI}/a`, "not built from the request's Host");
  t.match(await head(site, "/go/wiki"), /Cache-Control: no-store/, "the next request may lead elsewhere");
});

t.test("the page's own paths, and names that no service has: as before", async (t) => {
  const site = await open(t);
  const cookie = ["Cookie: instance=wiki"];
  for (const path of ["/index.html", "/services.json", "/last-run"])
    t.equal(await led(site, path, cookie), "200", path);
  for (const target of ["/", "/?q=x"]) t.equal(await led(site, target), "200", target);
  for (const value of ["gone", "", "hidden", "wiki.evil.example", "//evil.example", "%0d%0aX:1"])
    t.equal(await led(site, "/", [`Cookie: instance=${value}`]), "200", value);
  t.equal(await led(site, "/", ["Cookie: xinstance=wiki"]), "200", "another cookie");
  for (const target of ["/gone", "/gone/a", "/hidden/a", "/go", "/nothing?x", "//wiki/a", "/wiki%2fa"])
    t.equal(await led(site, target), "404", target);
  t.equal(await led(site, "/go/wiki", [], "evil.example"), "421");
  t.equal(await led(site, "/go/gone"), "/", "the page");
});

t.test("/go/ with an unknown name: FALLBACK_URL", async (t) => {
  const home = "https://it.example.com/home";
  const site = await open(t, home);
  for (const target of ["/go/gone", "/go/gone/a?b", "/go/", "/go//evil.example", "/go/hidden"])
    t.equal(await led(site, target), home, target);
  t.equal(await led(site, "/go/wiki/a"), `${WIKI}/a`);
  for (const target of ["/gone/a", "/go"]) t.equal(await led(site, target), "404", target);
  t.equal(await led(site, "/", ["Cookie: instance=gone"]), "200");
});

t.test("hostile paths: never another host, and no header of their own", async (t) => {
  const site = await open(t);
  for (const rest of [
    "//evil.example",
    "/\\evil.example",
    "/@evil.example",
    "/..//evil.example",
    "/%0d%0aSet-Cookie:a=b",
    "?//evil.example",
  ])
    for (const target of [`/go/wiki${rest}`, `/wiki${rest}`]) {
      const reply = await head(site, target);
      const location = /^Location: (.*)$/m.exec(reply)?.[1]?.trim() ?? "";
      t.equal(new URL(location).host, `wiki.${ZONE}`, target);
      t.match(location, /^[\x21-\x7e]+$/);
      t.notMatch(reply, /^Set-Cookie/im);
    }
  t.equal(await led(site, "/go/wiki/\x80\xff"), "400");
  for (const target of ["/go/\\evil.example", "/go/@evil.example", "/go/%2f%2fevil.example"])
    t.equal(await led(site, target), "/", target);
  for (const target of ["//evil.example", "/\\evil.example", "/@evil.example/x"])
    t.equal(await led(site, target), "404", target);
});

t.test("a services.json of unknown content: only http and https URLs", async (t) => {
  const urls = serviceUrls(
    [
      null,
      7,
      { name: "a", fqdn: "a.example", url: "javascript:alert(1)", names: ["b.zone", 3, "c.other"] },
      { name: "b", fqdn: "b.example", url: null, names: "b" },
      { name: "c", fqdn: "", url: "" },
    ],
    "zone",
  );
  t.same([...urls].toSorted(), [
    ["a", "http://a.example/"],
    ["b", "http://b.example/"],
  ]);
  t.equal(redirectOf({ url: "/go/__proto__", cookie: "instance=__proto__" }, urls, "/"), "/");
});
