/** Checks of a page: no console message, no violation of its Content-Security-Policy or of accessibility rules. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "./chromium.ts";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Everything reported from now on: errors, warnings, policy violations, requests to other hosts, dialogs. */
export function complaints(page: Page): string[] {
  const list: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") list.push(message.text());
  });
  page.on("pageerror", (error) => list.push(String(error.stack)));
  page.on("dialog", (dialog) => {
    list.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const asked = new URL(request.url());
    if (
      asked.protocol !== "data:" &&
      asked.host !== new URL(page.url()).host &&
      !request.isNavigationRequest()
    )
      list.push(`asks ${asked.host}`);
  });
  return list;
}

/** axe-core's violations, one line each. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate<{ id: string; nodes: { html: string; failureSummary: string }[] }[]>(
    `axe.run(document, { resultTypes: ["violations"] }).then((result) => result.violations)`,
  );
  return found.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.length} times: ${nodes[0]?.html.slice(0, 200)} ${nodes[0]?.failureSummary.replaceAll("\n", " ")}`,
  );
}
