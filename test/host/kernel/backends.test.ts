/** Both backends beside Docker's rules, with real packets, in network namespaces that end with the program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

async function done(task: string, rules: string): Promise<Record<string, unknown>> {
  const argv = [path("backends-run.ts"), task, path(`../../recorded/${rules}`)];
  return JSON.parse((await execa("unshare", ["--net", process.execPath, ...argv])).stdout);
}

/** The result of each way, with either backend. */
const WAYS = {
  client: "web",
  udp: "web",
  "another bridge": "shop",
  host: "web",
  itself: "web",
  container: "web",
  mapped: "web",
  "not offered": "refused",
  "published, not offered": "refused",
  "published by another": "shop",
  "published, no lease": "refused",
  "host, published, no lease": "refused",
  "not allowed": "refused",
  published: "web",
};
const GOOD = {
  unguarded: null,
  refused: [],
  forwards: 4,
  ports: ["veth1", "veth1", "veth2", "veth2"],
  damaged: [],
};
const BY_NFT = { ...GOOD, backend: "nft", iptables: 0, nft: true };
const BY_IPTABLES = { ...GOOD, backend: "iptables", iptables: 4, nft: false };
const NFT_PARTS = ["refusal", "hairpin", "redirect", "guard"];

for (const engine of ["20.10", "28"]) {
  t.test(`Docker ${engine}: from iptables to nft and back, no connection is refused or lost`, async (t) => {
    t.strictSame(await done("switch", `docker-${engine}.txt`), {
      iptables: { ...BY_IPTABLES, before: [0] },
      first: WAYS,
      nft: { ...BY_NFT, before: [4, ...NFT_PARTS] },
      back: { ...BY_IPTABLES, before: [4, "guard", "redirect"] },
      answers: [["shop"], true],
      same: true,
      again: { ...BY_NFT, before: [4, ...NFT_PARTS] },
      removed: { ...BY_NFT, before: [4], forwards: 0, ports: [], nft: false },
    });
  });
}

t.test("Docker 29 with its nftables backend: with the mark accepted, no iptables is needed", async (t) => {
  t.strictSame(await done("docker29", "docker-29.nft"), {
    run: { ...BY_NFT, before: [0] },
    unmarked: "silent",
    marked: WAYS,
    saved: false,
    iptables: { ...BY_IPTABLES, before: [4, "guard", "redirect"] },
    back: { ...BY_NFT, before: [4, ...NFT_PARTS, "accept"] },
    left: false,
  });
});
