/** The network device that a host is reached by, where NETWORK_DEVICE is not set. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Flags of linux/route.h: the route is up, and does not reject. */
const UP = 0x1;
const REJECT = 0x200;

/**
 * The device of the default route with the lowest metric; at boot, while there is none, the only device that is hardware.
 * Undefined where neither gives one. Read synchronously, since it is needed before anything else is done.
 */
export function defaultDevice(): string | undefined {
  return routedDevice(textOf("/proc/self/net/route")) ?? onlyHardware("/sys/class/net");
}

/** The device of the default route in /proc/net/route's table. */
export function routedDevice(table: string): string | undefined {
  const routes = table
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device, destination, , flags = "0", , , metric = "0", mask] = line.trim().split(/\s+/);
      const state = Number.parseInt(flags, 16);
      const usable = (state & UP) !== 0 && (state & REJECT) === 0;
      return device && destination === "00000000" && mask === "00000000" && usable
        ? [{ device, metric: Number(metric) }]
        : [];
    });
  return routes.sort((a, b) => a.metric - b.metric)[0]?.device;
}

function onlyHardware(directory: string): string | undefined {
  try {
    const found = readdirSync(directory).filter((name) => existsSync(`${directory}/${name}/device`));
    return found.length === 1 ? found[0] : undefined;
  } catch {
    return undefined;
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
