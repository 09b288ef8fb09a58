/** `ocdd serve` on the host: DNS and page for the office, and how it follows the director. */

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { addresses, aliasOf, apply, initializedLab } from "./director.ts";
import { HOST_ADDRESS, ZONE } from "./network.ts";
import { storage } from "./ocdd.ts";
import { until } from "./process.ts";
import { httpService, replier, resolver } from "./traffic.ts";

t.setTimeout(1_200_000);

t.test("serve", async (t) => {
  const lab = await initializedLab(t, { name: "serve" });
  await lab.startContainers("web", "app");
  await apply(lab);
  const server = await lab.serve();
  const alias = aliasOf(await addresses(lab), "web");
  const dig = async (...args: string[]): Promise<string> => {
    const argv = ["dig", "+time=2", "+tries=1", `@${HOST_ADDRESS}`, ...args];
    return (await lab.run("client", argv, { check: false })).stdout;
  };

  t.test("through IT's resolver: names are found", async (t) => {
    t.equal(await lab.dig(`web.${ZONE}`), alias);
    t.equal(await lab.curl(`http://web.${ZONE}/`), "web");
    t.equal(await lab.curl(`http://app.${ZONE}/`), "app");
    const page = (await lab.curl(`http://dockerhost.${ZONE}/`)).replace(/<[^>]*>/g, "");
    t.match(page, "The ACME ToolBox server");
    t.match(page, `* - web.${ZONE}`);
  });

  t.test("other zones and recursion: refused", async (t) => {
    t.match(await dig(ZONE, "SOA"), /flags: qr aa(?! ra)[^;]*;[\s\S]*IN\s+SOA/);
    t.match(await dig(ZONE, "NS"), /IN\s+NS\s/);
    t.match(await dig(ZONE, "A"), HOST_ADDRESS);
    t.match(await dig(`dockerhost.${ZONE}`), HOST_ADDRESS);
    t.match(await dig("+tcp", `web.${ZONE}`), alias);
    t.match(await dig(`WEB.${ZONE}`), alias, "whatever the case");
    t.match(await dig(`nobody.${ZONE}`), /NXDOMAIN[\s\S]*IN\s+SOA/);
    t.match(await dig(`web.${ZONE}`, "AAAA"), /NOERROR[\s\S]*ANSWER: 0[\s\S]*IN\s+SOA/);
    t.match(await dig("www.example.com"), /REFUSED/);
    t.notMatch(await dig("www.example.com"), /flags:[^;]* ra/, "no recursion");
  });

  t.test("a zone transfer: only to the networks that are allowed", async (t) => {
    t.notMatch(await dig(ZONE, "AXFR"), /web/, "not to the office PC");
    const argv = ["dig", "+time=2", "@127.0.0.1", ZONE, "AXFR"];
    t.match(
      (await lab.run("host", argv)).stdout,
      new RegExp(`web\\.${ZONE}[\\s\\S]*XFR size`),
      "to the host itself",
    );
  });

  t.test("a change is followed, and no query is lost", async (t) => {
    const polls = await Promise.all([
      resolver(lab, HOST_ADDRESS, `late.${ZONE}`),
      replier(lab, HOST_ADDRESS),
    ]);
    await lab.startContainer({ name: "late" });
    await apply(lab);
    const late = aliasOf(await addresses(lab), "late");
    // a rename sets the change time of what it moves
    const renamed = (file: string): number => statSync(join(storage(lab), file)).ctimeMs;
    const zone = renamed(`dns/${ZONE}.zone`);
    const page = renamed("www/index.html");
    await until("late is known", async () => (await lab.dig(`late.${ZONE}`, `@${HOST_ADDRESS}`)) === late);
    for (const text of ["one", "two"]) {
      await lab.removeContainers(text).catch(() => undefined);
      await apply(lab);
      await lab.startContainer({ name: text });
      await apply(lab);
    }
    const [names, pages] = await Promise.all(polls.map((poll) => poll.stop()));
    const answers = names?.answers ?? [];
    t.ok(answers.length > 500, `${answers.length} queries`);
    t.same(
      answers.filter(({ who }) => who === undefined),
      [],
      "every query has its answer",
    );
    t.same(
      [...new Set(answers.map(({ who }) => who))],
      ["rcode 3", late],
      "NXDOMAIN, then always the address",
    );
    const first = answers.find(({ who }) => who === late)?.at ?? Infinity;
    t.comment(`DNS: ${Math.round(first - zone)} ms after the rename`);
    t.not(first, Infinity, "the new name was answered");
    const shown = pages?.answers ?? [];
    t.same(
      shown.filter(({ who }) => who === undefined),
      [],
      "every request too",
    );
    t.equal(pages?.repeated, 0, "and no connection had to be tried again");
    const seen = shown.find(({ who }) => who?.includes(`late.${ZONE}`))?.at ?? Infinity;
    t.comment(`page: ${Math.round(seen - page)} ms after the rename`); // asked each 20 ms
    t.not(seen, Infinity, "the new page was answered");
  });

  t.test("a second listen address: answers come from the address that was asked", async (t) => {
    await lab.run("host", ["ip", "addr", "add", "192.168.122.201/24", "dev", "ens3"]);
    const conf = { DNS_LISTEN: "192.168.122.200, 192.168.122.201", DNS_PORT: "5353", WEB_PORT: "8088" };
    const second = await lab.serve({ conf });
    // dig refuses an answer that comes from another address than it asked
    t.equal(await lab.dig(`web.${ZONE}`, "@192.168.122.201", "-p", "5353"), alias);
    await second.stop();
    await lab.run("host", ["ip", "addr", "del", "192.168.122.201/24", "dev", "ens3"]);
  });

  t.test("SIGTERM: it ends by itself", async (t) => {
    t.equal(await server.stop(), 0);
  });

  t.test("a port in use: its owner is logged, it is retried, the other service goes on", async (t) => {
    const taker = await httpService(lab, "host", 80, "taken");
    const server = await lab.serve();
    await until(
      "it says so",
      () => /\b80\b/.test(server.output()) && server.output().includes(String(taker.pid)),
    );
    t.equal(await lab.dig(`web.${ZONE}`, `@${HOST_ADDRESS}`), alias, "DNS goes on");
    await taker.stop();
    await until("the page comes", async () => (await lab.who(HOST_ADDRESS))?.includes("ToolBox"));
    t.ok(server.running());
    await server.stop();
  });

  t.test("without capabilities and Docker's socket: it serves", async (t) => {
    const conf = { DNS_PORT: "5353", WEB_PORT: "8088", DOCKER_SOCKET: "/nowhere.sock" };
    const drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"];
    const argv = lab.ocddCommand(["serve"], { conf });
    const enter = lab.enterFully("host").length;
    const daemon = lab.spawn("host", [...drop, ...argv.slice(enter)], { full: true, label: "bare" });
    const ask = (): Promise<string> => lab.dig(`web.${ZONE}`, `@${HOST_ADDRESS}`, "-p", "5353");
    await until("the server answers", async () => {
      if (!daemon.running()) throw new Error(daemon.output());
      return (await ask()) === alias;
    });
    t.match(await lab.who(`${HOST_ADDRESS}:8088`), "ToolBox");
    t.match(readFileSync(`/proc/${daemon.pid}/status`, "utf8"), /CapEff:\s+0+$/m);
    await daemon.stop();
  });
});
