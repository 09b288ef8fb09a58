/** Variables that bash sets itself: a file that expands them means bash's value, not one of the environment. */

/** Bash's own whatever the environment or the file says, or another at each time: bash(1), "Shell Variables". */
const OWN = new Set(
  `_ BASH BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_EXECUTION_STRING
BASH_LINENO BASH_MONOSECONDS BASH_SOURCE BASH_SUBSHELL BASH_TRAPSIG BASH_VERSINFO BASH_VERSION COMP_WORDBREAKS DIRSTACK
EPOCHREALTIME EPOCHSECONDS FUNCNAME GROUPS HISTCMD IFS LINENO OPTERR OPTIND PIPESTATUS PPID PS4 RANDOM SECONDS
SHELLOPTS SHLVL SRANDOM`.split(/\s+/),
);

/** Set by bash where the environment has none. Who calls the reader adds those whose value does not depend on bash. */
const DEFAULTED = new Set(
  "BASH_LOADABLES_PATH EUID HOSTNAME HOSTTYPE MACHTYPE OSTYPE PATH PWD SHELL TERM UID".split(" "),
);

/** Whether only bash has the value of a variable; `known` are the variables that have one here. */
export function isBashOwn(name: string, known: ReadonlyMap<string, string>): boolean {
  return OWN.has(name) || (DEFAULTED.has(name) && !known.has(name));
}

/** Whether bash refuses an assignment to a variable that this reader expands. */
export const isBashReadOnly = (name: string): boolean => name === "UID" || name === "EUID";
