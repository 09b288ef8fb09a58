import t from "tap";
import { NO_FILE } from "../../../src/core/config/outputs.ts";
import { HostError } from "../../../src/core/errors.ts";
import { readText } from "../../../src/host/disk/file.ts";
import { outputText } from "../../../src/host/disk/output.ts";

t.test(
  "an output that was read: its text, empty without a file, a mark of its own for what is none",
  async (t) => {
    t.equal(await outputText(Promise.resolve("x")), "x");
    t.equal(await outputText(readText("/nowhere/index.html")), "");
    for (const path of ["/dev/null", "/dev/zero", "/proc"])
      t.equal(await outputText(readText(path)), NO_FILE);
    const other = new HostError("storage", "cannot read it");
    await t.rejects(outputText(Promise.reject(other)), other);
  },
);
