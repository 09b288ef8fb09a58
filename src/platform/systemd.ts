/** Whether systemd runs this host. */
import { statSync } from "node:fs";

/** As sd_booted(3) has it. */
export const systemdRuns = (): boolean =>
  statSync("/run/systemd/system", { throwIfNoEntry: false })?.isDirectory() === true;
