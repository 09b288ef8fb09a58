/** Ports → links, and where a service's name leads. */
import t from "tap";
import type { Forward } from "../../../src/core/forwards/forward.ts";
import type { Service } from "../../../src/core/model.ts";
import { portLinks, serviceLinks } from "../../../src/core/page/links.ts";
import type { Port, PortMap } from "../../../src/core/ports.ts";
import { ip, name, ZONE } from "../make.ts";

const tcp = (port: number): Port => ({ protocol: "tcp", port });
const map = (port: number, to: number): PortMap => ({ protocol: "tcp", port, to });
const service = (ports: Port[], over: Partial<Forward> | null = {}) => ({
  fqdn: `web.${ZONE}`,
  names: ["web", "web.shop"],
  address: ip("192.168.122.11"),
  kind: "alias" as Service["kind"],
  ports,
  forward:
    over === null
      ? null
      : {
          name: name("web"),
          alias: ip("192.168.122.11"),
          target: ip("172.17.0.2"),
          bridgePort: null,
          map: [],
          ports: null,
          allow: null,
          ...over,
        },
});
const told = (ports: Port[], over?: Partial<Forward> | null): string[] =>
  portLinks(service(ports, over)).map(
    ({ port, protocol, to, url }) => `${port}/${protocol}${to === null ? "" : ` to ${to}`} ${url ?? "-"}`,
  );

t.test("ports of a service: links where HTTP is likely, text elsewhere", async (t) => {
  for (const [what, got, want] of [
    [
      "guessed",
      told([tcp(80), tcp(443), tcp(8080), tcp(8443)]),
      [
        `80/tcp http://web.${ZONE}/`,
        `443/tcp https://web.${ZONE}/`,
        `8080/tcp http://web.${ZONE}:8080/`,
        `8443/tcp https://web.${ZONE}:8443/`,
      ],
    ],
    [
      "text",
      told([tcp(22), tcp(5432), tcp(9092), { protocol: "udp", port: 80 }]),
      ["22/tcp -", "5432/tcp -", "9092/tcp -", "80/udp -"],
    ],
    [
      "mapped: the container's own port counts",
      told([tcp(3000), tcp(22)], { map: [map(7777, 3000)] }),
      [`7777/tcp to 3000 http://web.${ZONE}:7777/`, "22/tcp -"],
    ],
    ["mapped to 443", told([tcp(8443)], { map: [map(443, 8443)] }), [`443/tcp to 8443 https://web.${ZONE}/`]],
    ["only those offered", told([tcp(80), tcp(5432)], { ports: [tcp(5432)] }), ["5432/tcp -"]],
    ["offered though not exposed", told([], { ports: [tcp(80)] }), [`80/tcp http://web.${ZONE}/`]],
    ["a map that is not offered", told([tcp(80)], { ports: [tcp(22)], map: [map(81, 80)] }), ["22/tcp -"]],
    ["host network", told([tcp(80)], null), [`80/tcp http://web.${ZONE}/`]],
  ] as const) {
    t.same(got, want, what);
  }
});

t.test("the link of a name: by label, else by the best HTTP port, else none", async (t) => {
  const lead = (ports: Port[], url: string | null = null) =>
    serviceLinks(service(ports), { url }, portLinks(service(ports)), ZONE);
  t.same(lead([tcp(8080), tcp(80)]), { url: `http://web.${ZONE}/`, elsewhere: null }, "80 before others");
  t.same(lead([tcp(9090), tcp(443)]), { url: `https://web.${ZONE}/`, elsewhere: null });
  t.same(lead([tcp(5432)]), { url: null, elsewhere: null }, "no web page, no link");
  t.same(lead([]), { url: `http://web.${ZONE}/`, elsewhere: null }, "nothing known: 80 may answer");
  t.same(lead([tcp(8080)], "/start"), { url: `http://web.${ZONE}:8080/start`, elsewhere: null });
  t.same(lead([tcp(5432)], "/start"), { url: `http://web.${ZONE}/start`, elsewhere: null });
  for (const own of [`https://web.${ZONE}/x`, `http://web.shop.${ZONE}:81/`, "http://192.168.122.11/"])
    t.same(lead([tcp(80)], own), { url: own, elsewhere: null }, own);
  t.same(lead([tcp(80)], "http://bank.example/"), {
    url: `http://web.${ZONE}/`,
    elsewhere: "http://bank.example/",
  });
});

t.test(
  "no port is known: port 80 is a guess for an address of its own, not for one of another",
  async (t) => {
    const lead = (kind: Service["kind"], ports: Port[]) =>
      serviceLinks({ ...service(ports), kind }, { url: null }, portLinks(service(ports, null)), ZONE).url;
    for (const kind of ["alias", "direct"] as const) t.equal(lead(kind, []), `http://web.${ZONE}/`, kind);
    for (const kind of ["host", "shared"] as const) t.equal(lead(kind, []), null, kind);
    for (const kind of ["alias", "direct", "host", "shared"] as const)
      t.equal(lead(kind, [tcp(8123)]), `http://web.${ZONE}:8123/`, kind);
  },
);
