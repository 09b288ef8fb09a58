/** Which services a container that runs keeps awake. */
import t from "tap";
import type { Container } from "../../src/core/model.ts";
import { neededIn } from "../../src/lifecycle/needs.ts";
import { container } from "../core/make.ts";

const one = (name: string, labels: Readonly<Record<string, string>> = {}, state = "running"): Container =>
  container({ name, labels: new Map(Object.entries(labels)), state });

const isNeeded = (all: readonly Container[], name: string, starting: readonly Container[] = []): boolean => {
  const { id } = all.find((other) => other.name === name) ?? one(name);
  const instances = [{ id, name, image: "", address: null, network: null }];
  return neededIn({ containers: all }, new Set(starting.map((other) => other.id)))({ instances });
};

t.test("needed by a container that runs or is started, not by one that sleeps", async (t) => {
  const user = (state: string): Container => one("web", { "ocdd.wake.with": "db" }, state);
  t.ok(isNeeded([one("db"), user("running")], "db"));
  for (const state of ["paused", "exited"]) t.notOk(isNeeded([one("db"), user(state)], "db"), state);
  const starting = user("exited");
  t.ok(isNeeded([one("db"), starting], "db", [starting]));
  t.notOk(isNeeded([one("db"), user("running")], "web"));
});

t.test("depends_on names services of the same compose project only", async (t) => {
  const member = (project: string, service: string, dependsOn = ""): Container =>
    one(`${project}-${service}-1`, {
      "com.docker.compose.project": project,
      "com.docker.compose.service": service,
      ...(dependsOn && { "com.docker.compose.depends_on": `${dependsOn}:service_started:false` }),
    });
  const all = [member("shop", "db"), member("blog", "db"), member("shop", "web", "db")];
  t.ok(isNeeded(all, "shop-db-1"));
  t.notOk(isNeeded(all, "blog-db-1"));
});

t.test("services that need each other do not keep each other awake; a third one does", async (t) => {
  const circle = [
    one("a", { "ocdd.wake.with": "b" }),
    one("b", { "ocdd.wake.with": "c" }),
    one("c", { "ocdd.wake.with": "a" }),
  ];
  for (const { name } of circle) t.notOk(isNeeded(circle, name), name);
  t.ok(isNeeded([...circle, one("web", { "ocdd.wake.with": "a" })], "a"));
  t.notOk(isNeeded([one("self", { "ocdd.wake.with": "self" })], "self"));
});
