import fc from "fast-check";
import t from "tap";
import { composeOf, groupOf, keyOf, wishOf } from "../../../src/core/services/candidate.ts";
import { readLabels } from "../../../src/core/services/labels.ts";
import { composeLabels, container } from "../make.ts";

const key = (labels: Map<string, string>, name = "n"): string => {
  const c = container({ name, labels });
  return keyOf(c, composeOf(c));
};

t.test("a lease's key is compose's project, service and number, else the container's name", async (t) => {
  t.equal(key(composeLabels("shop", "web", 2)), "compose:shop/web/2");
  t.equal(key(new Map(), "web"), "container:web");
  const half = composeLabels("shop", "web");
  half.delete("com.docker.compose.container-number");
  t.equal(key(half, "shop-web-run-1a2b"), "container:shop-web-run-1a2b", "compose run");
  for (const bad of ["", "-1", "1e3", "1234567", "x"]) {
    t.equal(
      key(new Map([...composeLabels("s", "w"), ["com.docker.compose.container-number", bad]])),
      "container:n",
      bad,
    );
  }
  t.equal(groupOf("compose:shop/web/2"), "compose:shop/web");
  t.equal(groupOf("container:a/1"), "container:a/1");
});

t.test("no two services share a key by the spelling of their names, and none is long", async () => {
  const part = fc.oneof(fc.stringMatching(/^[a%2F/:_-]{1,6}$/), fc.string({ minLength: 1, maxLength: 400 }));
  fc.assert(
    fc.property(fc.tuple(part, part), fc.tuple(part, part), ([p, s], [q, r]) => {
      const one = key(composeLabels(p, s));
      return one.length < 1300 && (one === key(composeLabels(q, r))) === (p === q && s === r);
    }),
  );
});

t.test("the name a container asks for", async (t) => {
  const wish = (name: string, labels: Map<string, string> = new Map()): string => {
    const c = container({ name, labels });
    return wishOf(c, readLabels(labels), composeOf(c));
  };
  t.equal(wish("x", new Map([...composeLabels("p", "My_Svc"), ["ocdd.name", "Shop.Front"]])), "shop-front");
  t.equal(wish("p_My_Svc_1", composeLabels("p", "My_Svc")), "my-svc");
  t.equal(wish("p_web_1"), "web");
  t.equal(wish("web"), "web");
  t.equal(wish("x", new Map([["ocdd.name", "..."]])), "x", "a label that leaves nothing is no wish");
  t.match(wish("___"), /^container-[0-9a-f]{8}$/);
});
