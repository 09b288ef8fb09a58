/** Services → the index page: complete without a script, and without anything from another host. */
import { clip } from "./labels.ts";
import type { Port, Service, Skipped } from "./model.ts";

export interface PageContent {
  readonly title: string;
  readonly zone: string;
  readonly services: readonly Service[];
  readonly skipped: readonly Skipped[];
}

const STYLE = `:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:64rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid #8884}
th{font-weight:600}
code{font:13px/1.4 ui-monospace,monospace}
.reason{opacity:.75}`;

/** The page as a whole document. It changes only when a service does, so that an idle run writes nothing. */
export function renderPage(content: PageContent): string {
  const title = escapeHtml(content.title);
  const rows = content.services.map((service) => serviceRow(service, content.zone)).join("\n");
  const skipped = content.skipped.map(
    (s) => `<li><code>${escapeHtml(clip(s.container, 256))}</code>: ${escapeHtml(clip(s.reason, 256))}</li>`,
  );
  const body =
    content.services.length > 0
      ? `<table>
<thead><tr><th>Name</th><th>Address</th><th>State</th><th>Ports</th><th>Image</th></tr></thead>
<tbody>
${rows}
</tbody>
</table>`
      : "<p>No containers found! Start one, then run <code>ocdd</code>.</p>";
  const rest = skipped.length > 0 ? `\n<h2>Not served</h2>\n<ul>\n${skipped.join("\n")}\n</ul>` : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
${body}${rest}
</body>
</html>
`;
}

function serviceRow(service: Service, zone: string): string {
  const links = service.ports.map((port) => portText(service, port)).join(" ");
  const others = service.names.slice(1).map((name) => `<br><code>${escapeHtml(`${name}.${zone}`)}</code>`);
  const renamed =
    service.renamed === null
      ? ""
      : `<br><span class="reason">renamed: ${escapeHtml(clip(service.renamed, 256))}</span>`;
  const state = service.health === "none" ? service.state : service.health;
  return `<tr><td>
* - <a href="http://${escapeHtml(service.fqdn)}/">${escapeHtml(service.fqdn)}</a>
${others.join("")}${renamed}</td><td><code>${service.address}</code></td><td>${escapeHtml(clip(state, 40))}</td><td>${links}</td><td><code>${escapeHtml(clip(service.container.image, 256))}</code></td></tr>`;
}

function portText(service: Service, port: Port): string {
  const text = `${port.port}/${port.protocol}`;
  if (port.protocol !== "tcp") return text;
  const scheme = port.port === 443 || port.port === 8443 ? "https" : "http";
  return `<a href="${scheme}://${escapeHtml(service.fqdn)}:${port.port}/">${text}</a>`;
}

/** Text as HTML text or as a quoted attribute's value. */
export function escapeHtml(text: string): string {
  const entity: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (c) => entity[c] ?? c);
}
