/** The real iptables, in a network namespace that ends with each program. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import t from "tap";

const RUN = fileURLToPath(new URL("iptables-table-run.ts", import.meta.url));
const recorded = (engine: string): string =>
  fileURLToPath(new URL(`../../recorded/docker-${engine}.txt`, import.meta.url));

/** Puts a variant of iptables (`nft`, `legacy`) in the place of the machine's, in a mount namespace. */
const VARIANT = `
set -e
variant=$1; shift
bin=$(mktemp -d)
for program in iptables iptables-save iptables-restore; do
  ln -s "/usr/sbin/xtables-$variant-multi" "$bin/$program"
done
export PATH="$bin:$PATH"
trap 'rm -r "$bin"' EXIT
if [ "$variant" = legacy ]; then
  # for a refusal by the kernel, not by the program, iptables-legacy names the last line
  rm "$bin/iptables-restore"
  cat >"$bin/iptables-restore" <<'RESTORE'
#!/bin/sh
input=$(cat)
case $input in
*no.such*) echo "iptables-restore: line $(echo "$input" | wc -l) failed" >&2; exit 1 ;;
esac
echo "$input" | exec xtables-legacy-multi iptables-restore "$@"
RESTORE
  chmod +x "$bin/iptables-restore"
fi
"$@"`;

async function alone(variant: string, ...deed: string[]): Promise<unknown> {
  const argv = ["--net", "sh", "-c", VARIANT, "sh", variant, process.execPath, RUN, ...deed];
  return JSON.parse((await execa("unshare", argv)).stdout);
}

for (const variant of ["nft", "legacy"].filter((v) => existsSync(`/usr/sbin/xtables-${v}-multi`))) {
  t.test(`iptables-${variant} prints the rules as they were rendered`, async (t) => {
    const good = { differs: [], text: "", damaged: [] };
    t.strictSame(await alone(variant, "spelling"), [good, good]);
  });

  for (const engine of ["20.10", "28"]) {
    t.test(`iptables-${variant} beside Docker ${engine}: commit, revoke, commit, remove`, async (t) => {
      t.strictSame(await alone(variant, "life", recorded(engine)), {
        left: ["192.168.122.12", "192.168.122.13"],
        back: 4,
        damaged: [],
        same: true,
      });
    });
  }

  t.test(
    `iptables-${variant}: a forward that is refused does not affect the others, and is reported`,
    async (t) => {
      const { refused, served, damaged } = (await alone(variant, "refused")) as {
        refused: { alias: string; message: string }[];
        served: string[];
        damaged: string[];
      };
      t.strictSame(refused.map(({ alias }) => alias).sort(), ["192.168.122.13", "192.168.122.15"]);
      const line = variant === "legacy" ? "COMMIT" : "-I OCDD 2 -d 192\\.168\\.122\\.13/32 .*no\\.such";
      t.match(refused[0]?.message, new RegExp(`^iptables refused "${line}": iptables-restore`));
      t.strictSame(served, ["192.168.122.11", "192.168.122.16"]);
      t.strictSame(damaged, []);
    },
  );
}
