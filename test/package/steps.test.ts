/** `npm run deb` and `npm run rpm` say what they do. */
import t from "tap";
import { packing } from "../../packaging/files.ts";
import { buildFor, ownParts } from "../../packaging/parts.ts";

const NAMES = { x64: "amd64", arm64: "arm64" } as const;

t.test("buildFor: each step goes to what prints it; another processor is refused by name", async (t) => {
  const said: string[] = [];
  const built: string[] = [];
  const build = async (parts: { readonly processor: string }, say: (line: string) => void) => {
    built.push(parts.processor);
    say(packing("ocdd.deb", {}));
    return "dist/ocdd.deb";
  };
  await buildFor([], NAMES, build, (line) => said.push(line));
  t.same(built, [ownParts().processor]);
  t.match(said, [/^packing ocdd\.deb, with xz: /]);
  await t.rejects(buildFor(["sparc"], NAMES, build), { message: "sparc: not one of amd64, arm64" });
});
