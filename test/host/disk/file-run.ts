/** A writer in its own process, to be killed or to write to a full disk. */
import { readdirSync, readFileSync } from "node:fs";
import { makeDirectory, writeWhole } from "../../../src/host/disk/file.ts";

const [deed, path = ""] = process.argv.slice(2);
if (deed === "writes") {
  for (let n = 0; ; n++) {
    await writeWhole(path, `${n}\n`.repeat(20_000));
    process.stdout.write(`${n}\n`);
  }
}
if (deed === "read-only") {
  const { fault, message, remedy } = (await makeDirectory(`${path}/a/b`).catch((error) => error)) as {
    fault: string;
    message: string;
    remedy: string;
  };
  console.log(JSON.stringify({ fault, message, remedy }));
}
if (deed === "full") {
  await writeWhole(`${path}/f`, "old");
  try {
    await writeWhole(`${path}/f`, "x".repeat(1 << 20));
    console.log("it was written");
  } catch (error) {
    const { fault, message, remedy } = error as { fault: string; message: string; remedy: string };
    console.log(
      JSON.stringify({
        fault,
        message,
        remedy,
        files: readdirSync(path),
        text: readFileSync(`${path}/f`, "utf8"),
      }),
    );
  }
}
