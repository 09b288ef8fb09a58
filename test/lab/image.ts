/** The image `lab/web:1`, made without a registry from the machine's static busybox, and socat for UDP. */

import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./process.ts";

export const IMAGE = "lab/web:1";

/**
 * Answers HTTP on $PORT (80) with $PAGE or its host name; with UDP=1 also datagrams on 9999. Ends at once on TERM,
 * which a shell as PID 1 does only when it has a trap.
 */
const SERVE = `#!/bin/sh
export PAGE="\${PAGE:-$(hostname)}"
printf '%s\\n' "$PAGE" >/www/index.html
trap 'exit 0' TERM INT
if [ -n "$UDP" ]; then
  socat UDP-RECVFROM:9999,fork EXEC:/name &
fi
httpd -f -p "\${PORT:-80}" -h /www &
wait $!
`;

/** One datagram, one answer. */
const NAME = `#!/bin/sh
read -r line
printf '%s\\n' "$PAGE"
`;

/** The client's address as the container sees it. */
const CALLER = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' "$REMOTE_ADDR"
`;

/** Import the image into the engine; `docker` runs its client. */
export async function importImage(
  directory: string,
  docker: (...argv: string[]) => Promise<unknown>,
): Promise<void> {
  const root = join(directory, "image");
  rmSync(root, { recursive: true, force: true });
  for (const part of ["bin", "etc", "tmp", "www/cgi-bin"]) mkdirSync(join(root, part), { recursive: true });
  await addProgram(root, "busybox");
  await addProgram(root, "socat");
  const { stdout: applets } = await run(["busybox", "--list"]);
  for (const applet of applets.split("\n")) {
    if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  }
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n");
  for (const [name, text] of [
    ["serve", SERVE],
    ["name", NAME],
    ["www/cgi-bin/ip", CALLER],
  ] as const) {
    writeFileSync(join(root, name), text);
    chmodSync(join(root, name), 0o755);
  }
  const archive = join(directory, "image.tar");
  await run(["tar", "-C", root, "-cf", archive, "."]);
  const changes = ['CMD ["/serve"]', "ENV PATH=/bin", "EXPOSE 80/tcp"].flatMap((line) => ["-c", line]);
  await docker("import", ...changes, archive, IMAGE);
  rmSync(root, { recursive: true });
  rmSync(archive);
}

/** Copy a program of the machine into a root, with the libraries that its loader would look for. */
export async function addProgram(root: string, name: string): Promise<void> {
  const { stdout: path } = await run(["which", name]);
  copyFileSync(path, join(root, "bin", name));
  chmodSync(join(root, "bin", name), 0o755);
  const { stdout } = await run(["ldd", path], { check: false }); // a static program has none
  for (const library of stdout.matchAll(/(?:^|\s)(\/\S+) \(0x/g)) {
    const from = library[1] ?? "";
    mkdirSync(join(root, dirname(from)), { recursive: true });
    copyFileSync(from, join(root, from));
  }
}
