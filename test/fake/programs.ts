/**
 * A kernel in memory behind the programs that change it: devices and addresses (ip), iptables, nft, conntrack. Answers each
 * as the program would, and throws at a call it does not know.
 */
import { type Ipv4, parseIpv4 } from "../../src/core/addresses/ipv4.ts";
import type { BridgePort, DeviceAddress } from "../../src/core/model.ts";
import { type Argv, missing, type RunOptions, type RunResult } from "../../src/host/kernel/run.ts";
import { HOST, ip } from "../core/make.ts";
import { applyTransaction } from "./iptables.ts";
import { FakeNft } from "./nft.ts";

/** A fresh Debian with Docker 20.10: chains, and rules of an operator's. */
const RULES = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A INPUT -p tcp -m tcp --dport 23 -j DROP
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A DOCKER-USER -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`;

const ok = (stdout = ""): RunResult => ({ code: 0, stdout, stderr: "" });
const refused = (stderr: string, code = 1): RunResult => ({ code, stdout: "", stderr });

export class FakeKernel {
  rules: string = RULES;
  readonly nft: FakeNft = new FakeNft();
  hasNft = true;
  hasIptables = true;
  addresses: DeviceAddress[] = [
    { device: "lo", address: ip("127.0.0.1"), prefix: 8, label: "lo" },
    { device: "ens3", address: HOST, prefix: 24, label: "ens3" },
    { device: "docker0", address: ip("172.17.0.1"), prefix: 16, label: "docker0" },
  ];
  /** With the id of the container at the other end. */
  bridgePorts: BridgePort[] = [];
  /** Tracked flows: alias → where the first packet of each went. */
  readonly flows: Map<Ipv4, Set<string>> = new Map();
  /** Aliases added that have not been announced on the network. */
  readonly unannounced: Set<Ipv4> = new Set();

  run(argv: Argv, { input = "" }: RunOptions): RunResult {
    switch (argv.join(" ").replace(/(?<=^(conntrack -D -d|nft -j list table)) .*$/, "")) {
      case "ip -json -details addr show":
        return ok(JSON.stringify(this.#links()));
      case "ip -batch -":
      case "ip -force -batch -":
        return this.#batch(input);
      case "ip -json -4 route show table all":
        return ok('[{"dst":"default","gateway":"192.168.122.1","dev":"ens3"}]');
      case "iptables-save":
      case "iptables-restore --noflush -w 5":
        if (!this.hasIptables) throw missing(argv[0]);
        return argv.length === 1 ? ok(this.rules) : this.#restore(input);
      case "conntrack -D -d":
        return this.flows.delete(argv[3] as Ipv4) ? ok() : refused("0 flow entries have been deleted");
      case "conntrack -L -f ipv4":
        return ok([...this.flows.keys()].map((alias) => `tcp 6 src=192.0.2.1 dst=${alias} \n`).join(""));
      case "nft list tables ip":
      case "nft -f -":
      case "nft -j list table":
        if (!this.hasNft) throw missing("nft");
        return this.#nft(argv, input);
      default:
        throw new Error(`a program the kernel does not know: ${argv.join(" ")}`);
    }
  }

  #links(): unknown[] {
    const devices = new Set(["lo", "ens3", "docker0", ...this.addresses.map(({ device }) => device)]);
    const links = [...devices].map((ifname) => ({
      ifname,
      ...(ifname === "docker0" ? { linkinfo: { info_kind: "bridge" } } : {}),
      addr_info: this.addresses
        .filter(({ device }) => device === ifname)
        .map(({ address, prefix, label }) => ({ family: "inet", local: address, prefixlen: prefix, label })),
    }));
    const ports = this.bridgePorts.map(({ name, bridge, hairpin }) => ({
      ifname: name,
      master: bridge,
      linkinfo: { info_kind: "veth", info_slave_kind: "bridge", info_slave_data: { hairpin } },
      addr_info: [],
    }));
    return [...links, ...ports];
  }

  #batch(input: string): RunResult {
    const problems = input
      .split("\n")
      .flatMap((line) => (line === "" ? [] : (this.#ipLine(line.split(" ")) ?? [])));
    return problems.length === 0 ? ok() : refused(`${problems.join("\n")}\n`);
  }

  /** The message of `ip` for a line that it refuses. */
  #ipLine(words: readonly string[]): string | undefined {
    const [what, verb, ...rest] = words;
    if (what === "link" && verb === "set") {
      const [, port, , , , mode] = rest;
      const found = this.bridgePorts.some(({ name }) => name === port);
      this.bridgePorts = this.bridgePorts.map((one) =>
        one.name === port ? { ...one, hairpin: mode === "on" } : one,
      );
      return found ? undefined : `Cannot find device "${port}"`;
    }
    const [local = "", , device = "", , label = ""] = rest;
    const address = parseIpv4(local.replace(/\/32$/, ""));
    if (what !== "addr" || address === undefined) throw new Error(`not understood: ${words.join(" ")}`);
    const others = this.addresses.filter(
      (a) => !(a.device === device && a.address === address && a.prefix === 32),
    );
    const was = others.length < this.addresses.length;
    this.addresses = others;
    if (verb === "replace") {
      this.addresses.push({ device, address, prefix: 32, label });
      if (!was) this.unannounced.add(address);
      return undefined;
    }
    this.unannounced.delete(address);
    return was ? undefined : "RTNETLINK answers: Cannot assign requested address";
  }

  #restore(input: string): RunResult {
    try {
      this.rules = applyTransaction(this.rules, input);
      return ok();
    } catch (error) {
      return refused(`iptables-restore: ${(error as Error).message}\n${input}`);
    }
  }

  #nft(argv: Argv, input: string): RunResult {
    if (argv[1] === "list") return ok(this.nft.names("ip"));
    if (argv[1] === "-j") {
      const listing = this.nft.list(argv[4] ?? "");
      return listing === undefined ? refused("Error: No such file or directory") : ok(listing);
    }
    try {
      this.nft.apply(input);
      return ok();
    } catch (error) {
      return refused(`Error: ${(error as Error).message}\n${input}`);
    }
  }
}
