/** Forwards with each label, and where packets of each kind go, with either backend. */
import type { Packet, Verdict } from "../../trace.ts";
import { forward } from "./iptables.ts";
import { at, CLIENT, DB, FAR, SELF, tcp, udp, WEB } from "./packets.ts";

/** web publishes 80 and 8080 with -p; db is on another bridge; the rest try each label. */
export const FORWARDS = [
  forward("192.168.122.11", "172.17.0.2"),
  forward("192.168.122.12", "172.20.0.2"),
  forward("192.168.122.13", "172.17.0.13", { "ocdd.map": "80:8080,53:5353/udp" }),
  forward("192.168.122.14", "172.17.0.14", { "ocdd.ports": "80,53/udp" }),
  forward("192.168.122.15", "172.17.0.15", { "ocdd.allow": "192.168.122.0/26,10.0.0.0/8" }),
  forward("192.168.122.16", "172.17.0.16", {
    "ocdd.map": "80:8080,443:8443",
    "ocdd.ports": "80,22",
    "ocdd.allow": "192.168.122.50",
  }),
  forward("192.168.122.17", "172.20.0.1"),
];
/** Each packet and its result. */
export const ROWS: { name: string; in: Packet; want: Verdict }[] = [
  {
    name: "a port that is not published",
    in: { ...CLIENT, ...tcp(8080, ".12") },
    want: at("172.20.0.2", 8080),
  },
  { name: "any protocol", in: { ...CLIENT, ...udp(53, ".12") }, want: at("172.20.0.2", 53) },
  {
    name: "ping",
    in: { ...CLIENT, protocol: "icmp", to: "192.168.122.12" },
    want: at("172.20.0.2", undefined),
  },
  {
    name: "a port that Docker publishes for this container",
    in: { ...CLIENT, ...tcp(80, ".11") },
    want: at("172.17.0.2", 80),
  },
  {
    name: "a port that Docker publishes for another one",
    in: { ...CLIENT, ...tcp(80, ".12") },
    want: at("172.20.0.2", 80),
  },
  {
    name: "that published port on an alias that no container has",
    in: { ...CLIENT, ...tcp(80, ".29") },
    want: "rejected",
  },
  {
    name: "that published port where ocdd.ports does not offer it",
    in: { ...CLIENT, ...tcp(8080, ".14") },
    want: "rejected",
  },
  { name: "sshd on an alias that no container has", in: { ...CLIENT, ...tcp(22, ".30") }, want: "rejected" },
  {
    name: "Docker's published port on the host's own address",
    in: { ...CLIENT, ...tcp(80, ".200") },
    want: at("172.17.0.2", 80),
  },
  { name: "the host's own sshd", in: { ...CLIENT, ...tcp(22, ".200") }, want: "untouched" },
  { name: "outside the pool, on either side", in: { ...CLIENT, ...tcp(22, ".31") }, want: "dropped" },
  {
    name: "a container's address, routed to by a client",
    in: { ...CLIENT, ...tcp(9999, "172.20.0.2") },
    want: "dropped",
  },
  { name: "mapped", in: { ...CLIENT, ...tcp(80, ".13") }, want: at("172.17.0.13", 8080) },
  { name: "mapped, udp", in: { ...CLIENT, ...udp(53, ".13") }, want: at("172.17.0.13", 5353) },
  {
    name: "map leaves the other protocol alone",
    in: { ...CLIENT, ...udp(80, ".13") },
    want: at("172.17.0.13", 80),
  },
  {
    name: "map leaves other ports as they are",
    in: { ...CLIENT, ...tcp(8080, ".13") },
    want: at("172.17.0.13", 8080),
  },
  { name: "offered", in: { ...CLIENT, ...tcp(80, ".14") }, want: at("172.17.0.14", 80) },
  { name: "offered, udp", in: { ...CLIENT, ...udp(53, ".14") }, want: at("172.17.0.14", 53) },
  { name: "not offered", in: { ...CLIENT, ...tcp(22, ".14") }, want: "rejected" },
  { name: "offered in the other protocol", in: { ...CLIENT, ...udp(80, ".14") }, want: "rejected" },
  {
    name: "ping where only ports are offered",
    in: { ...CLIENT, protocol: "icmp", to: "192.168.122.14" },
    want: "rejected",
  },
  { name: "allowed", in: { ...CLIENT, ...tcp(80, ".15") }, want: at("172.17.0.15", 80) },
  { name: "not allowed", in: { ...FAR, ...tcp(80, ".15") }, want: "rejected" },
  {
    name: "mapped, offered and allowed",
    in: { ...CLIENT, ...tcp(80, ".16") },
    want: at("172.17.0.16", 8080),
  },
  { name: "mapped but not offered", in: { ...CLIENT, ...tcp(443, ".16") }, want: "rejected" },
  { name: "offered as it is", in: { ...CLIENT, ...tcp(22, ".16") }, want: at("172.17.0.16", 22) },
  { name: "mapped and offered, not allowed", in: { ...FAR, ...tcp(80, ".16") }, want: "rejected" },
  { name: "from the host itself", in: { ...SELF, ...tcp(8080, ".12") }, want: at("172.20.0.2", 8080) },
  {
    name: "from the host itself, an alias that no container has",
    in: { ...SELF, ...tcp(80, ".29") },
    want: "rejected",
  },
  {
    name: "from a container to one on another bridge: Docker masquerades what leaves its bridge",
    in: { ...WEB, ...tcp(5432, ".12") },
    want: at("172.20.0.2", 5432, true),
  },
  {
    name: "from a container to one on its own bridge: by way of the host",
    in: { ...WEB, ...tcp(80, ".13") },
    want: at("172.17.0.13", 8080, true),
  },
  {
    name: "from a container to itself",
    in: { ...DB, ...tcp(5432, ".12") },
    want: at("172.20.0.2", 5432, true),
  },
  {
    name: "the answer to a connection of the host's own through an alias",
    in: {
      from: "172.20.0.2",
      to: "192.168.122.12",
      protocol: "tcp",
      port: 40000,
      hook: "PREROUTING",
      in: "br-shop",
      answer: "redirected",
    },
    want: "untouched",
  },
  {
    name: "the reset for what the host itself asked of a port that is not offered",
    in: {
      ...SELF,
      from: "192.168.122.14",
      to: "192.168.122.14",
      protocol: "tcp",
      port: 40000,
      answer: "related",
    },
    want: "untouched",
  },
  {
    name: "an alias whose container has an address of the host's own",
    in: { ...CLIENT, ...tcp(2222, ".17") },
    want: "rejected",
  },
  {
    name: "an alias as the target of a redirection by others",
    in: { ...CLIENT, ...tcp(9000, ".200") },
    want: "rejected",
  },
];
