/** Targets of requests in a Location header. */
import fc from "fast-check";
import t from "tap";
import { readTarget, safeTarget, sameHostTarget } from "../../../src/core/page/target.ts";

t.test("path and query: kept; what a client could read as another part of a URL: encoded", async (t) => {
  for (const [target, safe] of [
    ["/a/b?c=d&e", "/a/b?c=d&e"],
    ["/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"],
    ["/a\r\nSet-Cookie: x", "/a%0D%0ASet-Cookie:%20x"],
    ["/\\evil.example", "/%5Cevil.example"],
    ["/\xc3\xbc", "/%C3%BC"],
    ["/a#b", "/a%23b"],
    ["*", "/"],
    ["http://evil.example/", "/"],
    ["", "/"],
  ] as const)
    t.equal(safeTarget(target), safe, target);
  t.equal(sameHostTarget("//evil.example/x?y"), "/.//evil.example/x?y");
  t.equal(sameHostTarget("/a//b"), "/a//b");
});

t.test("absolute-form: host and path are read of it, and only the path leads anywhere", async (t) => {
  for (const [target, authority, path] of [
    ["/a?b", null, "/a?b"],
    ["http://web.example", "web.example", "/"],
    ["http://web.example?a=/b", "web.example", "/?a=/b"],
    ["HTTP://Web.Example:80/a//b?c", "Web.Example:80", "/a//b?c"],
    ["http:///a", "", "/a"],
    ["http://a@web.example/b", "a@web.example", "/b"],
    ["//web.example/a", null, "//web.example/a"],
    ["https://web.example/a", null, "https://web.example/a"],
    ["web.example:443", null, "web.example:443"],
    ["*", null, "*"],
    ["", null, ""],
  ] as const) {
    t.strictSame(readTarget(target), { authority, path }, target);
    t.equal(sameHostTarget(target), path === "/a?b" ? path : sameHostTarget(path), target);
  }
  t.equal(sameHostTarget("http://web.example/a?b"), "/a?b");
  t.equal(sameHostTarget("http://web.example//evil.example/a"), "/.//evil.example/a");
});

t.test("any target: leads to the same host, and to the path that was asked for", async (t) => {
  const part = fc.oneof(
    fc.constantFrom(
      "http://",
      "/",
      "//",
      "\\",
      "@",
      ":",
      "evil.example",
      ".",
      "..",
      "?",
      "#",
      "\t",
      "\n",
      "%2f",
    ),
    fc.string({ unit: "binary-ascii", maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const target = parts.join("");
      const location = sameHostTarget(target);
      t.match(location, /^\/(?!\/)[\x21-\x7e]*$/);
      const url = new URL(location, "http://alias.example/");
      if (url.host !== "alias.example" || url.username !== "") throw new Error(`${location} leads to ${url}`);
      if (/^\/[a-z0-9/]*$/.test(target) && url.pathname !== target) throw new Error(`${target}: ${url}`);
    }),
  );
});
