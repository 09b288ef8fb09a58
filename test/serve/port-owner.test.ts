/** The process that has a port, as the log names it. */
import { execa } from "execa";
import t from "tap";
import { portOwner, programIn, serveHomeIn } from "../../src/serve/port-owner.ts";

const argv = (...words: string[]): string => `${words.join("\0")}\0`;

t.test("programIn: names without their directories, and no argument is cut", (t) => {
  t.equal(programIn(argv("/usr/sbin/named", "-u", "bind")), "named -u bind");
  const deep = `/opt/${"a-long-directory/".repeat(8)}`;
  t.equal(programIn(argv(`${deep}bin/node`, `${deep}main.js`)), "node main.js");
  t.equal(programIn(argv("/usr/sbin/dnsmasq", "--keep", "x".repeat(80))), "dnsmasq --keep");
  t.equal(programIn(argv("nginx: master process /usr/sbin/nginx")), "nginx: master process /usr/sbin/nginx");
  t.equal(programIn(""), "");
  t.end();
});

t.test("a port that another process listens on: its number and its program", async (t) => {
  const script =
    'require("node:net").createServer().listen(0,"127.0.0.1",function(){console.log(this.address().port)})';
  const child = execa(process.execPath, ["-e", script], { reject: false });
  t.teardown(() => child.kill());
  const port = await new Promise<number>((resolve) =>
    child.stdout.once("data", (text: Buffer) => resolve(Number(text))),
  );
  const owner = { pid: child.pid, text: new RegExp(`^pid ${child.pid} \\(node -e`), isServe: false };
  for (const address of ["127.0.0.1", "0.0.0.0", "127.0.0.2"])
    t.match(await portOwner("tcp", address, port), owner, address);
});

t.test("serveHomeIn: an `ocdd serve` by its arguments, from the bundle and from the sources", async (t) => {
  for (const main of ["dist/cli.js", "src/cli/main.ts"]) {
    const of = (...words: string[]) =>
      serveHomeIn(argv("/usr/bin/node", "--x=1", `/usr/lib/ocdd/${main}`, ...words));
    t.equal(of("serve"), "/usr/lib/ocdd");
    t.equal(of("--config", "/etc/ocdd/ocdd.conf", "serve", "--log-format", "json"), "/usr/lib/ocdd");
    t.equal(of("watch"), undefined);
    t.equal(of(), undefined);
  }
  t.equal(serveHomeIn(argv("/usr/sbin/named", "serve")), undefined);
  t.equal(serveHomeIn(argv("node", "serve", "/x/dist/cli.js")), undefined, "in front of the program");
  t.equal(serveHomeIn(""), undefined);
});
