/** The lab itself: it comes up, it is an office with a Docker host, and it is removed completely. */

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { labRemains, raiseLab } from "./lab.ts";
import { CLIENT_ADDRESS, HOST_ADDRESS, IT_ADDRESS } from "./network.ts";
import { printed, run, sleep, until } from "./process.ts";
import { echoService, replier, tcpStream, udpFlow } from "./traffic.ts";

t.setTimeout(1_200_000);

/** The machine's own network, which no lab may touch. */
const machine = (): string =>
  [
    ["ip", "-o", "addr"],
    ["ip", "-o", "link"],
    ["iptables-save"],
    ["sysctl", "-a", "--pattern", "ip_forward$"],
  ]
    .map(([file = "", ...args]) =>
      execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    )
    .join("\n")
    .replace(/^#.*$/gm, "")
    .replace(/\[\d+:\d+\]/g, "");

for (const engine of ["debian", "sid"] as const) {
  t.test(`a lab with the ${engine} engine`, async (t) => {
    const name = `lab-${engine}`;
    const before = machine();
    const start = performance.now();
    const lab = await raiseLab({ name, engine });
    t.teardown(() => lab.down());
    t.comment(`up in ${Math.round(performance.now() - start)} ms`);
    const major = await lab.dockerMajor();
    t.ok(engine === "sid" ? major >= 28 : major >= 20, `engine ${major}`);

    const [web, other] = await lab.startContainers(
      { name: "web", env: { UDP: "1" } },
      { name: "other", env: { PORT: "8080" } },
    );
    if (web === undefined || other === undefined) throw new Error("no containers");
    await until("web answers the host", async () => (await lab.who(web.address, "host")) === "web");
    t.equal(await lab.who(`${other.address}:8080`, "host"), "other");
    t.match(
      await lab.who(web.address, other, "/cgi-bin/ip"),
      other.address,
      "one container reaches the other",
    );
    const { stdout } = await lab.run("host", ["socat", "-T2", "-", `UDP:${web.address}:9999`], {
      input: "x\n",
    });
    t.equal(stdout, "web", "UDP");
    t.equal(await lab.who(web.address), undefined, "the office has no route to a container");

    t.equal(await lab.dig("www.example.com"), IT_ADDRESS);
    const glue = ["dig", "+norecurse", "dockerhost.toolbox.example.com", `@${IT_ADDRESS}`];
    t.match((await lab.run("client", glue)).stdout, HOST_ADDRESS, "the zone is delegated to the host");
    t.equal(
      (await lab.runFully("client", ["getent", "hosts", "www.example.com"])).stdout.split(" ")[0],
      IT_ADDRESS,
    );
    t.equal(await lab.arpOwner(HOST_ADDRESS), await lab.mac("host", "ens3"));
    t.equal(await lab.arpOwner("192.168.122.77"), undefined);
    await lab.addLanHost("192.168.122.77");
    t.ok(await lab.arpOwner("192.168.122.77"), "a machine was added to the LAN");

    await lab.restartDockerd({ daemon: { "live-restore": true } });
    await lab.docker("start", "web");
    const { pid } = await lab.container("web");
    await lab.restartDockerd({ signal: "SIGKILL" });
    t.equal((await lab.container("web")).pid, pid, "live-restore finds its containers");

    const first = await lab.snapshotHost();
    t.match(first, /-A FORWARD -j DOCKER-USER/);
    await lab.run("host", ["ip", "addr", "add", "192.168.122.99/32", "dev", "ens3"]);
    t.not(await lab.snapshotHost(), first);
    await lab.run("host", ["ip", "addr", "del", "192.168.122.99/32", "dev", "ens3"]);
    t.equal(await lab.snapshotHost(), first, "nothing else changes by itself");

    const down = performance.now();
    await lab.down();
    t.comment(`down in ${Math.round(performance.now() - down)} ms`);
    t.same(await labRemains(name), [], "nothing is left");
    t.equal(machine(), before, "the machine's own network is as it was");
  });
}

t.test("traffic: its record holds what was answered", async (t) => {
  const lab = await raiseLab({ name: "lab-flow", docker: false, dns: false });
  t.teardown(() => lab.down());
  await Promise.all([echoService(lab, "host", "tcp", 7000), echoService(lab, "host", "udp", 7000)]);
  const flows = await Promise.all([tcpStream(lab, HOST_ADDRESS, 7000), udpFlow(lab, HOST_ADDRESS, 7000)]);
  const silence = await replier(lab, HOST_ADDRESS, 80);
  await sleep(300);
  await lab.run("host", ["iptables", "-I", "INPUT", "-s", CLIENT_ADDRESS, "-j", "DROP"]);
  await sleep(300);
  await lab.run("host", ["iptables", "-D", "INPUT", "1"]);
  await sleep(500);
  const [stream, flow] = await Promise.all(flows.map((one) => one.stop()));
  t.match(stream, { lost: 0 });
  t.equal(stream?.error, undefined, "TCP repeats what was lost");
  t.ok(Number(stream?.longestGap) >= 280, `the stall was seen: ${stream?.longestGap} ms`);
  t.ok(
    Number(flow?.lost) >= 10 && Number(flow?.received) > 30,
    `packets were counted: ${JSON.stringify(flow)}`,
  );
  const { answers } = await silence.stop();
  t.ok(answers.length > 20 && answers.every(({ who }) => who === undefined), "nothing answers on port 80");
});

t.test("a lab left by a killed run: removed by the next", async (t) => {
  const script = `
    import { raiseLab } from ${JSON.stringify(fileURLToPath(new URL("lab.ts", import.meta.url)))};
    const lab = await raiseLab({ name: "lab-crash", dns: false });
    await lab.startContainer({ name: "orphan" });
    console.log("up");
    setInterval(() => {}, 1000);`;
  const crash = async (signal: NodeJS.Signals): Promise<void> => {
    const argv = ["--input-type=module", "-e", script];
    const child = spawn(process.execPath, argv, { cwd: "/", stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    await t.rejects(raiseLab({ name: "lab-crash" }), /in use by process/, "a running test keeps its lab");
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  };
  await crash("SIGTERM");
  t.same(await labRemains("lab-crash"), [], "TERM: it cleans up before it ends");
  await crash("SIGKILL");
  t.not((await labRemains("lab-crash")).length, 0, "KILL: it could not");
  const lab = await raiseLab({ name: "lab-crash", docker: false, dns: false });
  t.same(
    (await labRemains("lab-crash")).filter((line) => /dockerd|shim|httpd/.test(line)),
    [],
  );
  await lab.down();
  t.same(await labRemains("lab-crash"), []);
});

t.test("printed: what comes on standard error begins a line", async (t) => {
  for (const out of ["one", "one\n"]) t.equal(printed(out, "two\n"), "one\ntwo\n");
  t.same([printed("", "two"), printed("one\n", "")], ["two", "one\n"]);
});

t.test("the command line", async (t) => {
  const cli = [process.execPath, fileURLToPath(new URL("lab.ts", import.meta.url))];
  t.match((await run([...cli, "--help"])).stdout, /usage:/);
  t.equal((await run([...cli, "frobnicate"], { check: false })).code, 64);
  t.match((await run([...cli, "down", "lab-cli"])).stdout, 'there is no lab "lab-cli": nothing to remove');
  for (const command of ["docker", "ocdd", "exec"]) {
    const { code, stderr } = await run([...cli, command, "lab-cli"], { check: false });
    t.match({ code, stderr }, { code: 1, stderr: 'there is no lab "lab-cli": npm run lab -- up lab-cli' });
  }
  t.same(await labRemains("lab-cli"), [], "no directory is left either");
  const up = [...cli, "up", "lab-cli", "--no-docker", "--no-dns"];
  await run(up, { cwd: "/" });
  t.teardown(() => run([...cli, "down", "lab-cli"]));
  t.match((await run([...cli, "exec", "lab-cli", "client", "ip", "-br", "addr"])).stdout, CLIENT_ADDRESS);
  const directory = (await run(up)).stdout.match(/^lab-cli is up already: (\S+)/)?.[1] ?? "";
  writeFileSync(join(directory, "mine"), "");
  t.match((await run(up)).stdout, "is up already");
  t.ok(existsSync(join(directory, "mine")), "it is left as it is");
  t.match((await run([...up, "--fresh"])).stdout, /^up in/);
  t.notOk(existsSync(join(directory, "mine")));
  t.match((await run([...cli, "down", "lab-cli"])).stdout, /^removed .*lab-cli$/m);
  t.same(await labRemains("lab-cli"), []);
});

t.test("down --all: a lab that runs is left and named, one whose test was killed is removed", async (t) => {
  const directory = t.testdir();
  const lab = (name: string): string => ["ocdd-lab", process.env.OCDD_LAB, name].filter(Boolean).join("-");
  const command = async (...words: string[]): Promise<{ code: number; said: string[] }> => {
    const argv = [process.execPath, fileURLToPath(new URL("lab.ts", import.meta.url)), ...words];
    // labs of this directory only: others of the machine may run
    const { code, stdout } = await run(argv, { check: false, env: { TMPDIR: directory } });
    return { code, said: stdout.split("\n") };
  };
  t.teardown(() => command("down", "--all", "--force"));
  for (const name of ["lab-up", "lab-up-too"]) t.match(await command("up", name, "--no-docker"), { code: 0 });
  mkdirSync(join(directory, lab("lab-gone")));
  const down = await command("down", "--all");
  t.equal(down.code, 1);
  t.match(down.said.toSorted(), [
    new RegExp(`^left .*/${lab("lab-up-too")}: it runs \\(process \\d+ and \\d+ more\\)$`),
    new RegExp(`^left .*/${lab("lab-up")}: it runs`),
    `removed ${join(directory, lab("lab-gone"))}`,
  ]);
  t.match(await command("down", "lab-up"), { code: 0 });
  t.match(
    (await command("down", "--all")).said,
    [/^left .*lab-up-too: it runs/],
    "a name that begins like another",
  );
  writeFileSync(
    join(directory, lab("lab-up-too"), "owner"),
    JSON.stringify({ pid: process.pid, start: "1" }),
  );
  t.match(await command("down", "--all"), { code: 0, said: [/^removed .*lab-up-too$/] });

  t.match(await command("up", "lab-up", "--no-docker"), { code: 0 });
  t.match(await command("down", "--all", "--force"), { code: 0, said: [/^removed .*lab-up$/] });
  t.same(await labRemains("lab-up"), []);
});
