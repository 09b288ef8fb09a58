/** A disk that hangs. */
import t from "tap";
import { inTime } from "../../../src/host/disk/deadline.ts";

t.test("a change that ends in time is waited for, its failure too", async (t) => {
  t.equal(await inTime("a", async () => 1), 1);
  await t.rejects(
    inTime("a", async () => Promise.reject(new Error("full"))),
    { message: "full" },
  );
});

t.test(
  "a change that hangs: an error at the deadline, and no further one is begun until it has ended",
  async (t) => {
    const hung = Promise.withResolvers<number>();
    await t.rejects(
      inTime("/srv/zone", () => hung.promise, 5),
      { fault: "storage", message: /cannot write \/srv\/zone: the disk does not answer/ },
    );
    let begun = false;
    const next = async (): Promise<void> => {
      begun = true;
    };
    await t.rejects(inTime("/srv/page", next), { fault: "storage", message: /\/srv\/page/ });
    t.notOk(begun);
    hung.resolve(1);
    await hung.promise;
    await inTime("/srv/page", next);
    t.ok(begun);
  },
);
