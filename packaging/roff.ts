/** man(7) from plain words: each function gives the lines of one thing. */

/** Text as roff prints it: no escape, no macro, and hyphens that can be copied from the page into a shell. */
export function plain(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replaceAll("×", "x")
    .replace(/^(?=[.'])/gm, "\\&");
}

/** Markdown's `code` and **words** in a text, in bold; of a link into the same document its text. */
export const marked = (text: string): string =>
  text
    .replace(/\[([^\]]+)\]\(#[^)]+\)/g, "$1")
    .split(/`([^`]+)`|\*\*([^*]+)\*\*/)
    .map((part, i) => (part === undefined ? "" : i % 3 === 0 ? plain(part) : bold(part)))
    .join("");

export const bold = (text: string): string => `\\fB${plain(text)}\\fR`;
export const italic = (text: string): string => `\\fI${plain(text)}\\fR`;

export const heading = (name: string, section: number, date: string, version: string): string =>
  `.TH ${name.toUpperCase()} ${section} ${date} "OCDD ${version}" "System administration"`;

/** A section; roff needs no paragraph request right below a heading. */
export const section = (title: string, ...lines: readonly string[]): string =>
  [`.SH ${title}`, lines.join("\n").replace(/^\.PP\n/, "")].join("\n");

/** A tagged paragraph; `tag` and the lines are roff already. */
export const item = (tag: string, ...lines: readonly string[]): string => [".TP", tag, ...lines].join("\n");

/** Literal text, indented: a file, or a command. */
export const literal = (text: string): string =>
  [".PP", ".RS 4", ".EX", plain(text.trimEnd()), ".EE", ".RE"].join("\n");

/** The same page in lines of at most 80 characters, which mandoc asks for; literal text and macros stay as they are. */
export function wrapped(page: string): string {
  let literally = false;
  let tag = false;
  return page
    .split("\n")
    .map((line) => {
      if (line === ".EX" || line === ".EE") literally = line === ".EX";
      if (literally || line.startsWith(".")) {
        tag = line === ".TP";
        return line;
      }
      // only one line is the tag of a paragraph: the rest would be its text
      const folded = tag ? fold(line).replaceAll("\n", "\n.TQ\n") : fold(line);
      tag = false;
      return folded;
    })
    .join("\n");
}

function fold(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + word.length >= 80) lines.push(word.replace(/^(?=[.'])/, "\\&"));
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
}
