/** A command as its argument vector: written as a JSON array, or as words. No shell is run. */

/** Characters of a command, and its arguments, at most. */
const MOST_LENGTH = 65_536;
const MOST_ARGUMENTS = 256;

export type Command = { readonly argv: readonly string[] } | { readonly problem: string };

/**
 * `["validate", "--all"]`, or words split as a shell splits them: by blanks, with quotes and backslashes (POSIX Shell Command
 * Language §2.2). What only a shell could carry out (a pipe, a variable, a pattern of file names) is refused when it is not quoted.
 */
export function readCommand(text: string): Command {
  if (text.length > MOST_LENGTH) return { problem: `it is longer than ${MOST_LENGTH} characters` };
  const read = text.trimStart().startsWith("[") ? fromJson(text) : fromWords(text);
  if ("problem" in read) return read;
  if (read.argv.length === 0 || read.argv[0] === "") return { problem: "it names no program" };
  if (read.argv.length > MOST_ARGUMENTS) return { problem: `it has more than ${MOST_ARGUMENTS} arguments` };
  if (read.argv.some((word) => word.includes("\0"))) return { problem: "it holds a NUL character" };
  // Docker would replace it by another character
  if (!read.argv.every((word) => word.isWellFormed())) return { problem: "it holds half a surrogate pair" };
  return read;
}

function fromJson(text: string): Command {
  const problem = "it is no JSON array of texts";
  try {
    const value: unknown = JSON.parse(text);
    const isTexts = Array.isArray(value) && value.every((item) => typeof item === "string");
    return isTexts ? { argv: value } : { problem };
  } catch {
    return { problem };
  }
}

/** Characters that are an instruction to a shell unless they are quoted, and those that are one at the beginning of a word. */
const NEEDS_SHELL = new Set("|&;<>()$`*?[\n");
const NEEDS_SHELL_FIRST = new Set("#~");

function fromWords(text: string): Command {
  const argv: string[] = [];
  let word: string | null = null;
  let quote = "";
  // line breaks before and after a command are blanks to a shell
  const begin = text.length - text.trimStart().length;
  const end = text.trimEnd().length;
  for (let at = begin; at < text.length; at++) {
    const char = text[at] as string;
    const next = text[at + 1];
    if (quote === "'") {
      if (char === "'") quote = "";
      else word += char;
    } else if (char === "\\") {
      if (next === undefined) return { problem: "it ends with a backslash" };
      // within double quotes a backslash stands for itself, but for these
      const isKept = quote === '"' && !'$`"\\\n'.includes(next);
      // a line that goes on: nothing, also between words
      if (next !== "\n") word = `${word ?? ""}${isKept ? "\\" : ""}${next}`;
      at += 1;
    } else if (quote === '"') {
      if (char === '"') quote = "";
      else if (char === "$" || char === "`") return needsShell(char);
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (/[ \t]/.test(char) || (char === "\n" && at >= end)) {
      if (word !== null) argv.push(word);
      word = null;
    } else if (NEEDS_SHELL.has(char) || (word === null && NEEDS_SHELL_FIRST.has(char)))
      return needsShell(char);
    else word = `${word ?? ""}${char}`;
  }
  if (quote !== "") return { problem: `a quote (${quote}) is not closed` };
  if (word !== null) argv.push(word);
  return { argv };
}

const needsShell = (char: string): Command => ({
  problem: `${char === "\n" ? "a line break" : `"${char}"`} needs a shell: quote it, or write ["sh", "-c", "..."]`,
});

/** An argument vector as a line that a shell would split again in the same way. */
export function commandLine(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
