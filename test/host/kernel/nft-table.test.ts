/** The tables in a real kernel, in a network namespace that ends with each program. */
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("nft-table-run.ts", import.meta.url));

/** What the task printed, done in an empty network of its own; `shell` prepares it. */
async function alone(task: readonly string[], shell = ""): Promise<Record<string, unknown>> {
  const argv = ["--net", "--mount", "sh", "-c", `${shell} exec "$@"`, "sh", process.execPath, RUN, ...task];
  return JSON.parse((await execa("unshare", argv)).stdout);
}

for (const mode of ["guard", "full"]) {
  t.test(`${mode} mode: what is read is what was committed, and a second commit does nothing`, async (t) => {
    const { found, wanted, programs, changes } = await alone(["identity", mode]);
    t.strictSame(found, wanted);
    t.strictSame([programs, changes], [[], 0]);
  });

  t.test(`${mode} mode: elements by netlink equal elements by nft -f, comments included`, async (t) => {
    const { netlink, program } = await alone(["elements", mode]);
    t.match(netlink, /veth3/);
    t.match(netlink, /comment "c122-13"/);
    t.equal(netlink, program);
  });

  for (const edit of ["rule", "gone", "added", "set", "foreign", "table", "tables", "stamp", "element"]) {
    t.test(
      `${mode} mode, edited by hand (${edit}): a reading finds it, and a commit replaces it`,
      async (t) => {
        const { differs, found, wanted } = await alone(["edit", mode, edit]);
        t.ok(differs);
        t.strictSame(found, wanted);
      },
    );
  }

  for (const edit of ["table", "tables", "element"]) {
    t.test(
      `${mode} mode, changed by another program since the last reading (${edit}): no call fails`,
      async (t) => {
        t.strictSame(await alone(["behind", mode, edit]), {
          committed: "veth7",
          // one of two tables is left: what it leads is taken out of force
          left: edit === "tables" ? null : ["192.168.122.17"],
        });
      },
    );
  }

  t.test(`${mode} mode: tables written in another style are damaged, and replaced`, async (t) => {
    const { damaged, found, wanted } = await alone(["style", mode]);
    t.strictSame(damaged, mode === "full" ? ["refusal", "hairpin", "redirect", "guard"] : ["guard"]);
    t.strictSame(found, wanted);
  });

  t.test(
    `${mode} mode: revoke and admit change elements without a program; removal leaves nothing`,
    async (t) => {
      const { programs, ports, back, wanted, left } = await alone(["life", mode]);
      t.strictSame(programs, []);
      t.strictSame(ports, [
        ["192.168.122.12", "veth8"],
        ["192.168.122.14", "veth4"],
        ["192.168.122.15", "veth5"],
        ["192.168.122.16", "veth6"],
      ]);
      t.strictSame(back, wanted);
      t.equal(left, "");
    },
  );

  t.test(`${mode} mode, no nft program: unguarded, with the reason, and no call fails`, async (t) => {
    const hidden = "mount -t tmpfs tmpfs /usr/sbin;";
    t.strictSame(await alone(["missing", mode], hidden), {
      refused: [],
      unguarded: "nft is not installed",
      tables: null,
    });
  });

  t.test(`${mode} mode, a kernel without the bridge family: unguarded, with the reason`, async (t) => {
    const refusing = `mount -t tmpfs tmpfs /mnt; cp /usr/sbin/nft /mnt/real
cat >/mnt/nft <<'NFT'
#!/bin/sh
[ "$1" = -f ] || exec /mnt/real "$@"
input=$(cat)
case $input in *"table bridge"*) echo "Error: Could not process rule: Operation not supported" >&2; exit 1;; esac
echo "$input" | /mnt/real -f -
NFT
chmod +x /mnt/nft; export PATH="/mnt:$PATH";`;
    t.strictSame(await alone(["missing", mode], refusing), {
      refused: [],
      unguarded: "nft failed with exit status 1: Error: Could not process rule: Operation not supported",
      tables: null,
    });
  });
}

t.test(
  "full mode, the chain of an alias edited by hand: a reading finds it, and a commit replaces it",
  async (t) => {
    const { differs, found, wanted } = await alone(["edit", "full", "policy"]);
    t.ok(differs);
    t.strictSame(found, wanted);
  },
);

t.test("full mode: a forward that is refused: left out alone, and reported", async (t) => {
  const { refused, found } = (await alone(["refused", "full"])) as {
    refused: { alias: string; message: string }[];
    found: { forwards: { alias: string }[]; damaged: string[] };
  };
  t.strictSame(
    refused.map(({ alias }) => alias),
    ["192.168.122.17", "192.168.122.19"],
  );
  t.match(refused[0]?.message, /^nft failed with exit status 1: .*Error/);
  const served = [11, 12, 13, 14, 15, 16, 18].map((end) => `192.168.122.${end}`);
  t.strictSame(
    found.forwards.map(({ alias }) => alias),
    served,
  );
  t.strictSame(found.damaged, []);
});
