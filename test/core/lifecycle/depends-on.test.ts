/** Compose's label with what a service depends on: read item by item, within its bound. */
import t from "tap";
import { dependenciesOf, dependencyNotes } from "../../../src/core/lifecycle/depends-on.ts";
import { container } from "../make.ts";

const labelled = (label: string) =>
  container({ name: "web", labels: new Map([["com.docker.compose.depends_on", label]]) });

t.test("an item that cannot be read is left out, the others are read", async (t) => {
  t.strictSame(dependenciesOf(" db:service_healthy:false,b d:service_started:false,,_x,job:odd"), [
    { service: "db", condition: "service_healthy" },
    { service: "_x", condition: "service_started" },
    { service: "job", condition: "service_started" },
  ]);
  t.strictSame(dependenciesOf(""), []);
});

t.test("more services than the bound: the first of them, with a note", async (t) => {
  const many = (number: number): string =>
    Array.from({ length: number }, (_, i) => `s${i}:service_started:false`).join();
  for (const number of [0, 1, 512]) {
    t.equal(dependenciesOf(many(number)).length, number);
    t.strictSame(dependencyNotes(labelled(many(number))), []);
  }
  t.strictSame(dependencyNotes(container({ name: "web" })), []);
  t.equal(dependenciesOf(many(60_000)).length, 512);
  t.strictSame(dependencyNotes(labelled(many(513))), [
    "label com.docker.compose.depends_on holds more than 512 services, the first 512 are used",
  ]);
});
