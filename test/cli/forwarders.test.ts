/** `ocdd doctor` and DNS_FORWARDERS. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { forwarders } from "../../src/cli/doctor/answers.ts";
import { serveDns } from "../../src/serve/dns/server.ts";
import { EXAMPLE } from "../dns/zones.ts";
import { forwardPeer } from "../serve/dns/forward-peer.ts";

t.test(
  "forwarders: nothing without the key, good when they answer, bad with the one that does not",
  async (t) => {
    const peer = await forwardPeer(t);
    // the resolver of Node asks without EDNS
    peer.udp = (query) => {
      const answer = Buffer.from(query);
      answer.writeUInt16BE(0x8183, 2);
      return [answer];
    };
    const dir = mkdtempSync(join(tmpdir(), "ocdd-forwarders-"));
    writeFileSync(join(dir, "zone"), EXAMPLE);
    const target = { address: "127.0.0.1", port: peer.port };
    const start = (given: (typeof target)[]) =>
      serveDns({
        zone: "example.org",
        zoneFile: join(dir, "zone"),
        listen: ["127.0.0.1"],
        port: 0,
        allowTransfer: [],
        forwarders: given,
        log: () => {},
      });
    const [server, old] = [await start([target]), await start([])];
    t.teardown(async () => {
      await Promise.all([server.close(), old.close()]);
      rmSync(dir, { recursive: true });
    });
    const config = { zone: "toolbox.example.net", dnsListen: ["HOST_IP" as const], dnsPort: server.port };
    t.same(await forwarders({ ...config, forwarders: [] }, "127.0.0.1"), []);
    t.match(await forwarders({ ...config, forwarders: [target] }, "127.0.0.1"), [{ ok: true }]);
    t.match(await forwarders({ ...config, dnsPort: old.port, forwarders: [target] }, "127.0.0.1"), [
      { ok: false, message: /does not forward/, remedy: /restart/ },
    ]);
    peer.udp = (query) => {
      const answer = Buffer.from(query);
      answer.writeUInt16BE(0x8185, 2);
      return [answer];
    };
    t.match(await forwarders({ ...config, forwarders: [target] }, "127.0.0.1"), [
      { ok: false, message: new RegExp(`127.0.0.1:${peer.port} does not answer`), remedy: /DNS_FORWARDERS/ },
    ]);
  },
);
