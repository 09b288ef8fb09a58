/** The manual pages, from the command tree and the table of keys: `npm run man` writes them, a test says they are current. */

import { TRY_EXAMPLE } from "../src/cli/method-commands.ts";
import { bold, heading, italic, item, literal, marked, plain, section, wrapped } from "./roff.ts";
import { type Flag, type KeyDoc, type Surface, textOf, type Word } from "./surface.ts";

/** Date of the last change of the words here: with today's the generated pages would differ every day. */
const DATE = "2026-11-29";

const GENERATED =
  '.\\" Written by "npm run man": change src/cli/, src/core/config/keys.ts, the labels in README.md or packaging/man.ts instead.';

/** ocdd(8): commands and options. */
export function commandPage({ version, summary, flags, words, labels, statuses }: Surface): string {
  const short = summary.slice(summary.indexOf(":") + 2);
  return page(
    heading("ocdd", 8, DATE, version),
    section("NAME", `ocdd \\- ${plain(short)}`),
    section(
      "SYNOPSIS",
      ".SY ocdd",
      ...flags.map(
        ({ long, argument }) => `.OP ${plain(long)}${argument === undefined ? "" : ` ${argument}`}`,
      ),
      ".RI [ command ]",
      ".YS",
    ),
    section(
      "DESCRIPTION",
      "OCDD, the OctoCop Director for Docker, gives every container on a Docker host a name in a zone of its own and an",
      "address on the network, reachable on the ports it listens on: no port mapping, no proxy.",
      "The director",
      `(${bold("ocdd watch")}, or ${bold("ocdd")} from a timer) reads the current state, computes the desired state and applies the difference:`,
      "an alias on the network device, a forward to the container, records in the zone, a line on the index page.",
      "The server",
      `(${bold("ocdd serve")}) answers for the zone and serves the page; it needs no Docker, and a privilege only for ports below 1024.`,
      ".PP",
      `The configuration is described in ${bold("ocdd.conf")}(5).`,
      "Data is printed on standard output, messages on standard error.",
    ),
    section(
      "COMMANDS",
      "Without a command: one run, as from cron.",
      ...words.map((word) => command(word, flags)),
    ),
    section("OPTIONS", "Before or after the command.", ...flags.map(option)),
    section(
      "LABELS",
      "Labels on containers say what each asks for.",
      ...labels.map(({ names, text }) => item(names.map(bold).join(", "), marked(text))),
      ".PP",
      "If a restriction is invalid or cannot be enforced the container is not served;",
      `${bold("ocdd status")} shows the error.`,
    ),
    section(
      "SLEEP",
      `A container with the label ${bold("ocdd.wake=true")} keeps its name and address while it is stopped.`,
      "The first packet to it waits in the kernel, starts it, and is delivered when it is ready.",
      `${bold("ocdd.idle")} stops it when there was no open connection and no packet for so long.`,
      `This needs ${bold("ocdd watch")}: while that does not run, such packets are refused.`,
      `A start that fails is shown by ${bold("ocdd list")} and ${bold("ocdd status")}, and a later visit tries again.`,
    ),
    section(
      "TRY",
      `${bold("ocdd try")} creates an instance of a container beside it, with the same image, environment, mounts, rights, limits and networks, and removes it when its command has ended.`,
      "Its mounts are those of production, and what it writes there is written in production: put a copy in their place with",
      `${bold("--mount")}. In the arguments of the command ${bold("{name}")} and ${bold("{address}")} are replaced.`,
      "The exit status is that of VALIDATE or of the command, 128 and the number of the signal that has ended it,",
      "or 1 when the container does not become ready.",
      `If it is killed the next run removes the container: ${bold("ocdd")} or ${bold("ocdd watch")}.`,
      `The container has the label ${bold("ocdd.try")}, which is not for users to set.`,
    ),
    section("EXIT STATUS", ...[...statuses].map(([status, meaning]) => item(bold(status), plain(meaning)))),
    section(
      "SIGNALS",
      item(
        bold("SIGHUP"),
        `${bold("ocdd watch")} reloads the configuration; an invalid one is reported and the old one kept.`,
      ),
      item(
        bold("SIGTERM"),
        `${bold("ocdd watch")} ends after the run in progress, ${bold("ocdd serve")} when its sockets are closed; a second signal ends them at once. A single run is interrupted, and the next one completes it. Addresses, rules and files stay as they are.`,
      ),
    ),
    section(
      "ENVIRONMENT",
      item(bold("OCDD_CONF"), "The configuration file, where no option names one."),
      item(
        `${bold("OCDD_")}${italic("KEY")}`,
        "Takes precedence over the key of that name in the file; an option over both.",
      ),
      item(bold("OCDD_NODE"), "The Node.js binary to run, 24.15 or later."),
      item(bold("NO_COLOR"), "No colours."),
    ),
    section(
      "PROGRAMS",
      `${bold("ocdd")} calls ${bold("ip")}(8), ${bold("arping")}(8), ${bold("conntrack")}(8), ${bold("flock")}(1) and ${bold("nft")}(8).`,
      `It calls ${bold("iptables")}(8) where Docker filters with iptables, and with ${bold("FIREWALL=iptables")};`,
      "that program is not needed where Docker filters with nftables.",
      `Without ${bold("nft")} aliases are not guarded.`,
    ),
    section(
      "FILES",
      item(italic("/etc/ocdd/ocdd.conf"), `The configuration, where there is no ${italic("./ocdd.conf")}.`),
      item(italic("STORAGE_DIR/leases.json"), "The leases, and the version before."),
      item(italic("STORAGE_DIR/dns/"), "The zone. Records written there by hand are kept and served."),
      item(italic("STORAGE_DIR/www/"), "The index page."),
      item(
        italic("STORAGE_DIR/watch.json"),
        `Figures of ${bold("ocdd watch")} since its start, for ${bold("ocdd status")}.`,
      ),
      item(
        italic("STORAGE_DIR/events.jsonl"),
        "Each start, stop, creation and removal of a container by OCDD with its reason, a JSON object a line, up to 1 MB; the file before with",
        `${italic(".previous")} added.`,
      ),
      item(
        italic("STORAGE_DIR/tries/"),
        `A record of each container of ${bold("ocdd try")}, for as long as it exists.`,
      ),
      item(
        italic("/etc/systemd/system/ocdd*"),
        `Units written by ${bold("ocdd initialize")}. They take precedence over those of a package: run it again after an upgrade.`,
      ),
    ),
    section(
      "EXAMPLES",
      "First set-up of a host, and checks when a service cannot be reached:",
      literal("ocdd initialize\nocdd doctor\nocdd doctor jenkins"),
      ".PP",
      "The changes a run would make, without making them:",
      literal("ocdd plan"),
      ".PP",
      "A service that sleeps when it is not used, started by a command in place of a visit; and why it was started or stopped:",
      literal(
        "docker run -d --label ocdd.wake=true --label ocdd.idle=30m --name wiki requarks/wiki:2\nocdd wake wiki\ntail /var/lib/ocdd/events.jsonl",
      ),
      ".PP",
      "A changed zone, checked by a name server like the one in production before it is committed:",
      literal(TRY_EXAMPLE),
    ),
    section(
      "SEE ALSO",
      ".BR ocdd.conf (5),",
      ".BR docker (1),",
      ".BR ip\\-address (8),",
      ".BR iptables (8),",
      ".BR nft (8),",
      ".BR systemctl (1)",
    ),
  );
}

/** ocdd.conf(5): syntax and keys. */
export function confPage({ version, keys }: Surface): string {
  return page(
    heading("ocdd.conf", 5, DATE, version),
    section("NAME", "ocdd.conf \\- configuration of the OctoCop Director for Docker"),
    section(
      "DESCRIPTION",
      `${bold("ocdd")}(8) reads the file that ${bold("--config")} or ${bold("$OCDD_CONF")} names, else`,
      `${italic("./ocdd.conf")}, else ${italic("/etc/ocdd/ocdd.conf")}.`,
      ".PP",
      `Each line is ${italic("KEY")}${bold("=")}${italic("value")}, in shell syntax; blank lines and what follows`,
      `a ${bold("#")} are comments.`,
      `${bold("'...'")} is literal; ${bold('"..."')} and bare words expand ${bold("$NAME")}, ${bold("$\u007bNAME}")} and`,
      `${bold("$\u007bNAME:-default}")} from earlier keys and the environment.`,
      `${bold("$HOSTNAME")}, ${bold("$UID")}, ${bold("$EUID")} and ${bold("$PWD")} are those of the process that reads the file.`,
      "The last assignment of a key wins.",
      "Nothing is executed: command substitution, arithmetic, arrays and other variables that only bash sets are errors.",
      ".PP",
      `Precedence: ${bold("--set KEY=VALUE")}, then ${bold("OCDD_")}${italic("KEY")} in the environment, then the file.`,
      "All mistakes are reported at once, each with its line; an unknown key is one.",
      ".PP",
      `A change takes effect in ${bold("ocdd watch")} with ${bold("systemctl reload ocdd-watch")} (SIGHUP), in ${bold("ocdd serve")} with ${bold("systemctl restart ocdd-serve")};`,
      `a range without an address that is in use is refused until ${bold("ocdd --yes")} has been run, after which ${bold("ocdd watch")} must be reloaded once more.`,
    ),
    section("KEYS", ...keys.map(keyItem)),
    section(
      "EXAMPLES",
      "What a new host needs at least:",
      literal(
        "IP_RANGE=192.168.122.11-192.168.122.30\nTOOLBOX_SUBDOMAIN_NAME=toolbox.example.com\nSTORAGE_DIR=/var/lib/ocdd",
      ),
      ".PP",
      "A file of the bash script OctoCopDD, which works unchanged:",
      literal(textOf("ocdd.conf.example")),
    ),
    section("FILES", item(italic("/etc/ocdd/ocdd.conf"), "The configuration of the services.")),
    section("SEE ALSO", ".BR ocdd (8)"),
  );
}

const page = (...parts: readonly string[]): string => `${wrapped([GENERATED, ...parts].join("\n"))}\n`;

function tagOf({ long, argument, optional }: Flag): string {
  if (argument !== undefined) return `${bold(long)} ${italic(argument)}`;
  return optional === undefined ? bold(long) : `${bold(long)} [${italic(optional)}]`;
}

const option = (flag: Flag): string =>
  item(
    `${flag.short === undefined ? "" : `${bold(flag.short)}, `}${tagOf(flag)}`,
    marked(sentence(`${flag.text}${choices(flag)}`)),
  );

const choices = ({ choices }: Flag): string =>
  choices.length === 0 ? "" : `; one of ${choices.map((choice) => `\`${choice}\``).join(", ")}`;

/** A command with the options that only it has. */
function command(word: Word, global: readonly Flag[]): string {
  const { name, text, argument, required, repeated, rest, flags } = word;
  const more = rest !== undefined ? ` [${bold("--")} ${italic(rest)} ...]` : "";
  const first = argument === undefined ? "" : `${italic(argument)}${repeated ? " ..." : ""}`;
  const tag = `${bold(name)}${first === "" ? "" : required ? ` ${first}` : ` [${first}]`}${more}`;
  const own = flags.filter(({ long }) => !global.some((flag) => flag.long === long));
  return item(tag, marked(sentence(text)), ...(own.length === 0 ? [] : [".RS", ...own.map(option), ".RE"]));
}

function keyItem({ name, text, fallback, required }: KeyDoc): string {
  const tail = required ? ["Required."] : fallback === "" ? [] : [`Default: ${bold(fallback)}.`];
  return item(bold(name), marked(sentence(text)), ...tail);
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
