/**
 * Completions for bash, zsh and fish, from the command tree and the table of keys. They offer: a command; after it the
 * options of the command and the global ones; files after --config; keys after --set; names of services after
 * commands that take them.
 */

import { LISTED_BY_COMMANDS } from "../src/cli/help.ts";
import type { Flag, Surface, Word } from "./surface.ts";

const HEAD = '# Written by "npm run man": change src/cli/main.ts or packaging/completions.ts instead.';

/**
 * Names that have an address, from the zone: that asks no Docker and needs no root. The zone's text is hand-written in
 * part: only what could be a name is offered.
 */
const NAMES = `command ocdd zone 2>/dev/null | awk '${[
  '$1 == "$ORIGIN" { zone = "." $2 }',
  '$4 == "A" { rest = length($1) - length(zone); name = substr($1, 1, rest) }',
  '$4 == "A" && substr($1, rest + 1) == zone && name ~ /^[a-z0-9._-]+$/ { print name }',
].join("; ")}'`;

/** Both spellings of an option. */
const spellings = ({ short, long }: Flag): string[] => (short === undefined ? [long] : [short, long]);

/** What its help lists after a command: its own options, then the global ones that mean the same after every command. */
function flagsAfter(word: Word, global: readonly Flag[]): Flag[] {
  const own = new Set(word.flags.map(({ long }) => long));
  return [...word.flags, ...global.filter(({ long }) => !own.has(long) && !LISTED_BY_COMMANDS.has(long))];
}

/** Options that take an argument, each once: the same one means the same after every command. */
function takers({ flags, words }: Surface): Flag[] {
  const all = [...flags, ...words.flatMap((word) => word.flags)].filter(
    ({ argument }) => argument !== undefined,
  );
  return [...new Map(all.map((flag) => [flag.long, flag])).values()];
}

export function bashCompletion(surface: Surface): string {
  const { flags, words, keys } = surface;
  const takes = takers(surface);
  const values = takes.map((flag) => {
    const { long, choices } = flag;
    if (long === "--config") {
      return `    ${long})
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      return ;;`;
    }
    const list = long === "--set" ? keys.map(({ name }) => name) : choices;
    return `    ${spellings(flag).join(" | ")})${long === "--set" ? "\n      compopt -o nospace 2>/dev/null" : ""}
      mapfile -t COMPREPLY < <(compgen${long === "--set" ? " -S =" : ""} -W "${list.join(" ")}" -- "$cur")
      return ;;`;
  });
  const cases = words.map(
    (word) => `    ${word.name}) flags="${flagsAfter(word, flags).flatMap(spellings).join(" ")}" ;;`,
  );
  const named = words.filter(({ argument }) => argument !== undefined).map(({ name }) => name);
  return `${HEAD}
_ocdd_names() {
  ${NAMES}
}

_ocdd() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} word="" name flags i
  COMPREPLY=()
  # readline splits at "=": the parts of --config=FILE are three words
  [[ $cur == "=" ]] && cur=""
  [[ $prev == "=" ]] && prev=\${COMP_WORDS[COMP_CWORD - 2]}
  case $prev in
${values.join("\n")}
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${words.map(({ name }) => name).join(" | ")}) word=\${COMP_WORDS[i]}; break ;;
      ${takes.flatMap(spellings).join(" | ")}) ((i++)) ;;
    esac
  done
  case $word in
${cases.join("\n")}
    *) flags="${flags.flatMap(spellings).join(" ")}" ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
  elif [[ -z $word ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${words.map(({ name }) => name).join(" ")}" -- "$cur")
  elif [[ $word == @(${named.join("|")}) ]]; then
    # not by compgen -W, which expands its words: a name is text of someone else's
    while IFS= read -r name; do
      [[ $name == "$cur"* ]] && COMPREPLY+=("$name")
    done < <(_ocdd_names)
  fi
}

complete -F _ocdd ocdd
`;
}

/** What zsh offers as an option's argument. */
function valuesOf({ long, choices }: Flag): string {
  if (long === "--config") return "_files";
  return long === "--set" ? "_ocdd_keys" : `(${choices.join(" ")})`;
}

export function zshCompletion({ flags, words, keys }: Surface): string {
  const spec = (flag: Flag): string[] => {
    const text = `[${zshText(flag.text)}]`;
    const after = flag.argument === undefined ? "" : `:${zshText(flag.argument)}:${valuesOf(flag)}`;
    // an option that repeats is not taken off the list once it is there
    const star = flag.long === "--set" ? "*" : "";
    return spellings(flag).map((spelling) => `'${star}${spelling}${text}${after}'`);
  };
  const cases = words.map((word) => {
    const names = word.argument === undefined ? [] : [`'${word.repeated ? "*" : ":"}:name:_ocdd_names'`];
    const specs = [...flagsAfter(word, flags).flatMap(spec), ...names];
    return `    ${word.name})\n      _arguments -s \\\n        ${specs.join(" \\\n        ")}\n      ;;`;
  });
  return `#compdef ocdd
${HEAD}

_ocdd_keys() {
  local -a keys
  keys=(
${keys.map(({ name, text }) => `    '${name}:${zshText(text)}'`).join("\n")}
  )
  _describe -t keys 'key' keys -S =
}

_ocdd_names() {
  local -a names
  names=(\${(f)"$(${NAMES})"})
  _describe -t names 'service' names
}

_ocdd_commands() {
  local -a commands
  commands=(
${words.map(({ name, text }) => `    '${name}:${zshText(text)}'`).join("\n")}
  )
  _describe -t commands 'command' commands
}

_ocdd() {
  local context state line
  typeset -A opt_args
  _arguments -s -C \\
    ${flags.flatMap(spec).join(" \\\n    ")} \\
    '1:command:_ocdd_commands' \\
    '*::argument:->after'
  [[ $state == after ]] || return 0
  case $line[1] in
${cases.join("\n")}
  esac
}

_ocdd "$@"
`;
}

/** Text within an option's [...] or a list's name:text, in single quotes. */
const zshText = (text: string): string => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, "\\$&");

export function fishCompletion({ flags, words, keys }: Surface): string {
  const quote = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const switches = ({ short, long }: Flag): string =>
    `${short === undefined ? "" : ` -s ${short.slice(1)}`} -l ${long.slice(2)}`;
  const line = (flag: Flag, when: string): string => {
    const values = flag.long === "--set" ? "(__ocdd_keys)" : flag.choices.join(" ");
    const after =
      flag.argument === undefined ? "" : flag.long === "--config" ? " -r -F" : ` -x -a '${values}'`;
    return `complete -c ocdd${when}${switches(flag)}${after} -d ${quote(flag.text)}`;
  };
  const global = new Set(flags.map(({ long }) => long));
  const after = (name: string): string => ` -n '__fish_seen_subcommand_from ${name}'`;
  const none = ` -n 'not __fish_seen_subcommand_from ${words.map(({ name }) => name).join(" ")}'`;
  return `${HEAD}
function __ocdd_keys
${keys.map(({ name, text }) => `    printf '%s\\t%s\\n' ${name}= ${quote(text)}`).join("\n")}
end

function __ocdd_names
    ${NAMES}
end

complete -c ocdd -f
${flags.map((flag) => line(flag, "")).join("\n")}
${words.map(({ name, text }) => `complete -c ocdd${none} -a ${name} -d ${quote(text)}`).join("\n")}
${words
  .flatMap(({ name, flags: own }) =>
    own.filter(({ long }) => !global.has(long)).map((flag) => line(flag, after(name))),
  )
  .join("\n")}
${words
  .filter(({ argument }) => argument !== undefined)
  .map(({ name }) => `complete -c ocdd${after(name)} -a '(__ocdd_names)'`)
  .join("\n")}
`;
}
