/** The frame of the page; a site may have its own. Named slots only: a template is text and never a program. */

export interface TemplateFiles {
  readonly index: string;
  readonly style: string;
  readonly script: string;
}

export interface PageTemplate extends TemplateFiles {
  /** Why another template than the configured one is used. */
  readonly problems: readonly string[];
}

/** What a template's index.html may hold, each between `{{` and `}}`. */
export interface Slots {
  readonly title: string;
  readonly zone: string;
  readonly host: string;
  readonly version: string;
  readonly style: string;
  readonly script: string;
  /** `counts`, the host and `range` together. */
  readonly summary: string;
  /** How many services there are, and how many in each state that is not the usual one. */
  readonly counts: string;
  /** How much of the range is in use. */
  readonly range: string;
  /** Links to the groups; empty where there are few. */
  readonly groups: string;
  /** The services in their groups, with what needs attention first. */
  readonly services: string;
}

/** Used where the frame is missing or has no slots: a plain but complete page. */
const BARE = `<!doctype html>
<html lang="en" data-version="{{version}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
{{style}}</style>
<title>{{title}}</title>
</head>
<body>
<header><h1>{{title}}</h1>
<div id="summary">{{summary}}</div>
<p id="fresh"></p>
</header>
<main id="services">
{{services}}
</main>
</body>
</html>
`;
const BARE_STYLE =
  ":root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}svg{max-height:1em;max-width:20em}\n";

/** The template when there is none. */
export const BARE_TEMPLATE: PageTemplate = { index: BARE, style: BARE_STYLE, script: "", problems: [] };

/** A template from the texts of its files; one without a place for the services is not used. */
export function templateOf(files: TemplateFiles, problems: readonly string[]): PageTemplate {
  if (files.index.includes("{{services}}") && files.index.includes("{{title}}"))
    return { ...files, problems };
  const why = "the page's template index.html has no {{title}} and {{services}}; a plain page is used";
  return { ...BARE_TEMPLATE, problems: [...problems, why] };
}

/** The template with its slots filled; an unknown slot stays as it is. Text put into a slot is not searched for slots. */
export function fill(template: string, slots: Slots): string {
  return template.replace(/\{\{([a-z]+)\}\}/g, (whole, name: string) =>
    Object.hasOwn(slots, name) ? slots[name as keyof Slots] : whole,
  );
}
