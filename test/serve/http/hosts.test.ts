/** Names that the page is served for. */
import t from "tap";
import { hostOf, ownHosts } from "../../../src/serve/http/hosts.ts";

t.test(
  "configured names, localhost, loopback and own addresses: the page is served; all others: not",
  async (t) => {
    const own = ["192.0.2.10"];
    const isOwn = ownHosts(["toolbox.example.com", "Docker1.Example.COM.", "2001:db8::1"], () => own);
    const served = (header: string): boolean => isOwn(hostOf(header));
    for (const header of [
      "toolbox.example.com:8080",
      "docker1.example.com",
      "localhost",
      "localhost:80",
      "127.0.0.1",
      "127.8.9.10:80",
      "192.0.2.10",
      "[2001:db8::1]:80",
    ])
      t.ok(served(header), header);
    for (const header of [
      "",
      ".",
      "evil.example",
      "localhost.evil.example",
      "x.localhost",
      "127.0.0.1.evil.example",
      "127.1",
      "0.0.0.0",
      "192.0.2.11",
      "[192.0.2.10]",
      "[127.0.0.1]",
      "2001:db8::1",
      "[2001:db8::2]",
    ])
      t.notOk(served(header), header);
    own.push("192.0.2.11");
    t.ok(served("192.0.2.11"), "an address that the host got later");
  },
);

t.test("without a list the kernel's own addresses count", async (t) => {
  t.ok(ownHosts([])("[::1]") || ownHosts([])("127.0.0.1"));
  t.notOk(ownHosts([])("192.0.2.1"));
});
