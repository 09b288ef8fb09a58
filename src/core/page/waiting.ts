/** The page shown in place of a service while its container starts. One file, complete without a script; 6 kB at most. */
import { escapeHtml, field } from "../text.ts";

/** A service that is waited for. Its texts are untrusted. */
export interface WaitingFor {
  /** Its name in the zone. */
  readonly name: string;
  /** Its full name. */
  readonly fqdn: string;
  readonly phase: "starting" | "checking" | "failed";
  /** Why it failed, in one line; null where that is not known, and in the other phases. */
  readonly reason: string | null;
  /** Seconds since its start began. */
  readonly since: number;
  /** Seconds until the next visit starts it again, where it failed. */
  readonly retry: number | null;
}

/** Seconds between two looks of a browser without a script. */
export const REFRESH_S = 2;

/** Header of the question that the page's script asks, with the phase it shows, and of answers, with the present one. */
export const PHASE_HEADER = "ocdd-phase";

// colours are those of the index page: a contrast of at least 4.5:1 to their background, light and dark
const STYLE = `
:root{color-scheme:light dark;--ground:#f6f7f7;--paper:#fff;--ink:#16201f;--soft:#55615f;--line:#dfe4e3;--link:#0a5f66;--good:#1c7a43;--bad:#b3261e;font:16px/1.5 system-ui,sans-serif}
@media(prefers-color-scheme:dark){:root{--ground:#101514;--paper:#171d1c;--ink:#e3e9e8;--soft:#9daaa8;--line:#28312f;--link:#6fc6c9;--good:#5cc98a;--bad:#ff8a80}}
*,::before{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;align-items:center;justify-items:center;padding:1rem;background:var(--ground);color:var(--ink)}
main{width:100%;max-width:34rem;margin-bottom:10vh;padding:1.75rem clamp(1.25rem,6vw,2rem) 2rem;background:linear-gradient(var(--top,var(--link)) 4px,var(--paper) 0);border:1px solid var(--line);border-radius:10px;overflow-wrap:anywhere}
[data-phase=failed] main{--top:var(--bad)}
h1{margin:0 0 .25rem;font-size:1.5rem;font-weight:650;line-height:1.25;letter-spacing:-.015em}
p{margin:1.25rem 0 0}
code,samp{font:.9em/1.5 ui-monospace,Consolas,monospace}
code,.soft{color:var(--soft)}
samp{display:block;margin-top:.4rem;padding:.6rem .8rem;background:var(--ground);border-left:3px solid var(--bad);border-radius:4px}
ol{margin:1rem 0;padding:0;list-style:none;color:var(--soft)}
li{display:flex;align-items:center;gap:.7rem;padding:.2rem 0}
li::before{content:"";width:1.25rem;height:1.25rem;flex:none;border:2px solid var(--line);border-radius:50%}
.done::before{content:"\\2713";border:0;color:var(--good);font-weight:700;line-height:1.25rem;text-align:center}
[aria-current]{color:var(--ink);font-weight:600}
[aria-current]::before{border-color:var(--link);border-right-color:var(--line);animation:turn 1s linear infinite}
@keyframes turn{to{transform:rotate(1turn)}}
@media(prefers-reduced-motion:reduce){[aria-current]::before{animation:none}}
a{display:inline-block;margin-top:1.25rem;padding:.5rem 1.1rem;border:1px solid;border-radius:8px;color:var(--link);font-weight:600;text-decoration:none}
a:hover{background:var(--ground)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
`;

// the question is answered when the phase changes; a connection that fails is no reason to leave the page
const SCRIPT = `
const { phase } = document.documentElement.dataset;
const count = document.querySelector("#count");
const failed = phase === "failed";
const begun = new Date();
const first = parseInt(count?.textContent);
setInterval(() => {
  const s = Math.round((new Date() - begun) / 1000);
  if (count) count.textContent = Math.max(0, failed ? first - s : first + s);
}, 1000);
const ask = async () => {
  const again = () => setTimeout(ask, 1000);
  try {
    const reply = await fetch(location.href, { method: "HEAD", cache: "no-store", redirect: "manual", headers: { "${PHASE_HEADER}": phase } });
    if (reply.headers.get("${PHASE_HEADER}") === phase) return again();
    if (reply.type === "opaqueredirect") document.querySelector("[role=status]").textContent = "It is ready and opens now.";
    location.reload();
  } catch {
    again();
  }
};
if (!failed) ask();
`;

/** The page of a service that is starting, or could not be started. */
export function waitingPage(waiting: WaitingFor): string {
  const { phase } = waiting;
  const name = escapeHtml(field(waiting.name) ?? "?");
  const title = phase === "failed" ? `${name} could not be started` : `${name} is starting`;
  const refresh =
    phase === "failed" ? "" : `<noscript><meta http-equiv="refresh" content="${REFRESH_S}"></noscript>\n`;
  return `<!doctype html>
<html lang="en" data-phase="${phase}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<script type="module">${SCRIPT}</script>
${refresh}<title>${title}</title>
</head>
<body>
<main>
<h1>${title}</h1>
<code>${escapeHtml(field(waiting.fqdn) ?? "?")}</code>
${phase === "failed" ? failure(waiting) : progress(waiting)}</main>
</body>
</html>
`;
}

/** Counted on by the script. */
const seconds = (n: number): string => `<span id="count">${Math.max(0, Math.ceil(n))}</span> s`;

function progress({ phase, since }: WaitingFor): string {
  const now = ' aria-current="step"';
  const [start, check] = phase === "starting" ? [now, ""] : [' class="done"', now];
  return `<p role="status">It was not running, and your visit has started it. It opens here by itself as soon as it is ready.</p>
<ol>
<li${start}>${phase === "starting" ? "Starting the container" : "Container started"}</li>
<li${check}>Waiting until it is ready</li>
</ol>
<p class="soft">${seconds(since)} so far</p>
`;
}

function failure({ reason, retry }: WaitingFor): string {
  const next =
    retry === null ? "The next visit starts it again." : `It can be started again in ${seconds(retry)}.`;
  return `<p role="status">Reason: <samp>${escapeHtml(field(reason) ?? "not known")}</samp></p>
<p>${next}</p>
<a href="">Try again</a>
`;
}
