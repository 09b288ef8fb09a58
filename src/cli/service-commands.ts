/** The commands that show services, leases and the configuration: names, arguments, options, and what each calls. */
import { STATES } from "../core/report/filter.ts";
import type { CommandSpec } from "./command-spec.ts";
import type { ListOptions } from "./list.ts";

const list: CommandSpec = {
  name: "list",
  text: "list the services, sorted by name: name, address, container, ports, state",
  argument: [
    "[name...]",
    "only these services, containers or addresses; * and ? match any text and any character",
  ],
  options: [
    ["--all", "also services whose container has stopped and whose address is on hold"],
    ["-o, --output <form>", "wide has more columns, name only names", ["wide", "name", "json"]],
    ["--state <state>", "only services in this state", STATES],
    ["--network <network>", "only services that are reached on this Docker network"],
    ["--project <project>", "only those of one compose project"],
  ],
  run(names, { all = false, output, json, state, network, project }, terminal) {
    const form: ListOptions["form"] = json === true ? "json" : (output ?? "text");
    const options = { filter: { names, state, network, project }, all, form, paint: terminal.paint };
    return terminal.answer(async (config) => (await import("./list.ts")).runList(config, options));
  },
};

const show: CommandSpec = {
  name: "show",
  text: "all of one service: names, address, lease, forward, state, when it sleeps, metadata; or why it is not served",
  argument: ["<name>", "a service, a container, its id (four digits or more), or an address"],
  options: [],
  run: ([name = ""], { json }, { answer, paint }) =>
    answer(async (config) =>
      (await import("./show.ts")).runShow(config, name, { json: json === true, paint }),
    ),
};

const leases: CommandSpec = {
  name: "leases",
  text: "the leases: address, name, owner, state, since when and until when; works when Docker is down",
  argument: null,
  options: [],
  run: (_names, { json }, { answer, paint }) =>
    answer(async (config) => (await import("./show.ts")).runLeases(config, { json: json === true, paint })),
};

const configuration: CommandSpec = {
  name: "config",
  text: "check the configuration and print each key: where its value comes from, and the value",
  argument: null,
  options: [],
  run: (_names, { json }, { answer }) =>
    answer(async (config) => (await import("./configuration.ts")).runConfiguration(config, json === true)),
};

export const SERVICE_COMMANDS: readonly CommandSpec[] = [list, show, leases, configuration];
