/** The waiting page: what it says of each phase, and what hostile text becomes. */
import t from "tap";
import { type WaitingFor, waitingPage } from "../../../src/core/page/waiting.ts";

const wiki: WaitingFor = {
  name: "wiki",
  fqdn: "wiki.toolbox.example.com",
  phase: "starting",
  reason: null,
  since: 3.2,
  retry: null,
};
const REFRESH = '<noscript><meta http-equiv="refresh" content="2"></noscript>';

t.test("each phase: said in words, and by the step", async (t) => {
  const starting = waitingPage(wiki);
  t.match(starting, "<title>wiki is starting</title>");
  t.match(starting, "<code>wiki.toolbox.example.com</code>");
  t.match(starting, '<li aria-current="step">Starting the container</li>');
  t.match(starting, '<span id="count">4</span> s so far');
  t.match(starting, REFRESH);
  const checking = waitingPage({ ...wiki, phase: "checking" });
  t.match(checking, '<li class="done">Container started</li>\n<li aria-current="step">');
  const failed = waitingPage({ ...wiki, phase: "failed", reason: "no such image", retry: 20 });
  t.match(failed, "<h1>wiki could not be started</h1>");
  t.match(failed, "<samp>no such image</samp>");
  t.match(failed, 'It can be started again in <span id="count">20</span> s.');
  t.notMatch(failed, REFRESH, "a page that is left open starts nothing again and again");
  t.match(waitingPage({ ...wiki, phase: "failed" }), "<samp>not known</samp>");
});

t.test("hostile texts: escaped, in one line, bounded; the page has 6 kB at most", async (t) => {
  const evil = `"><script>alert(1)</script>\u202e\n${"'".repeat(1_000)}`;
  for (const phase of ["starting", "checking", "failed"] as const) {
    const page = waitingPage({ ...wiki, name: evil, fqdn: evil, phase, reason: evil });
    t.equal(page.split("<script").length, 2, "its own script alone");
    t.notMatch(page, /[\u202e]/u);
    const name = "n".repeat(63);
    const long = waitingPage({ ...wiki, name, fqdn: "f".repeat(253), phase, reason: '"'.repeat(1_000) });
    t.ok(Buffer.byteLength(long) <= 6_000, `${phase}: ${Buffer.byteLength(long)} octets`);
  }
});
