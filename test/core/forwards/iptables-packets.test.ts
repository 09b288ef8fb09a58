/** The effect of the rules on a packet: through OCDD's chains as rendered and Docker's own as recorded. */
import t from "tap";
import { applyTransaction } from "../../fake/iptables.ts";
import { converge, look, NOTHING, pathOf, recorded, written } from "./iptables.ts";
import { at, CLIENT, tcp, verdict } from "./packets.ts";
import { FORWARDS, ROWS } from "./rows.ts";

const WANTED = pathOf(FORWARDS);

for (const engine of ["20.10", "28"] as const) {
  const docker = recorded(engine);

  t.test(`Docker ${engine}: where each packet goes (N-1)`, async (t) => {
    const foreign = applyTransaction(
      docker,
      "*nat\n-I PREROUTING 1 -d 192.168.122.200/32 -p tcp -m tcp --dport 9000 -j DNAT --to-destination 192.168.122.12:80\nCOMMIT\n",
    );
    const after = converge(foreign, WANTED);
    for (const row of ROWS) t.strictSame(verdict(row.in, after), row.want, row.name);

    t.test(
      "the second run finds nothing to do, and teardown leaves Docker's rules as they were",
      async (t) => {
        t.equal(written(after, WANTED), "");
        t.strictSame(look(after).dataPath.damaged, []);
        t.equal(converge(after, NOTHING), foreign);
      },
    );

    t.test("without OCDD's rules: the tracer shows the earlier faults", async (t) => {
      t.strictSame(
        verdict({ ...CLIENT, ...tcp(80, ".12") }, docker),
        at("172.17.0.2", 80),
        "another container",
      );
      t.equal(verdict({ ...CLIENT, ...tcp(22, ".30") }, docker), "untouched", "the host's sshd");
    });
  });
}
