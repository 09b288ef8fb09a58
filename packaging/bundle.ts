/**
 * `npm run build`: the product as a few files of JavaScript in dist/, with the packages it runs with inside. Loading one
 * file takes a tenth of the time that hundreds take. What is loaded lazily in src/ is a file of its own here as well.
 */

import { readdir, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";
import { licences } from "./licences.ts";
import { ROOT } from "./surface.ts";

/** The command line, and the threads it starts by name. Flat: each finds the others, and HOME above it (src/platform/home.ts). */
const ENTRIES: readonly Entry[] = [
  { in: "src/cli/main.ts", out: "cli" },
  { in: "src/serve/dns/udp-worker.ts", out: "udp-worker" },
  { in: "src/host/kernel/queue/queue-worker.ts", out: "queue-worker" },
];

/** A file to bundle, its path from the root, and the name of the bundle without `.js`. */
export interface Entry {
  readonly in: string;
  readonly out: string;
}

/**
 * What dockerode loads for Docker over ssh and for building images, half of the code there is. OCDD reads one socket;
 * a call of these parts would fail with an error that they are missing.
 */
const LEFT_OUT = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|tar-fs)$/;

const REQUIRE =
  'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);';

const leaveOut: Plugin = {
  name: "leave-out",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: "left-out" }));
    onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: "module.exports = {};" }));
  },
};

/**
 * `import` of this one reads each of its exports, and WebSocket among them loads a whole HTTP client that is never used: a tenth of
 * the time of a command. Asked for as an object, it is loaded when it is used.
 */
const LAZY = /^node:http$/;

const lazy: Plugin = {
  name: "lazy",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: LAZY }, ({ path }) => ({ path, namespace: "lazy" }));
    onLoad({ filter: /.*/, namespace: "lazy" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** Writes the bundle into a directory, in place of an older one. */
export async function bundle(into: string, entries: readonly Entry[] = ENTRIES): Promise<void> {
  const started = new Date();
  const old = await readdir(into).catch(() => []);
  for (const name of old) if (name.endsWith(".js")) await rm(join(into, name));
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...entries],
    outdir: into,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node24",
    plugins: [leaveOut, lazy],
    // packages of the older kind ask for Node's own modules by require(); koffi, machine code, stays outside (src/platform/libc.ts)
    banner: { js: REQUIRE },
    // the licences are in one file; names stay, so that a stack can be read
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  await writeFile(join(into, "licences.txt"), await licences(packagesIn(metafile)));
  // a file written to src/ during the build is newer (bin/ocdd)
  if (entries === ENTRIES) await utimes(join(into, "cli.js"), started, started);
}

/** Directories of the packages whose code is within. */
function packagesIn(metafile: Metafile): string[] {
  const paths = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  );
  return [...new Set(paths)].sort().map((path) => join(ROOT, path));
}

if (import.meta.main) await bundle(join(ROOT, "dist"));
