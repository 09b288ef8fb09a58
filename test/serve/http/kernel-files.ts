/** A directory in the form of the kernel's: a neighbour table, and bridges with their ports and learned addresses. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelFiles } from "../../../src/serve/http/peer.ts";

export interface Neighbour {
  readonly address: string;
  readonly mac: string;
  readonly device: string;
  /** False while the kernel is still asking for the hardware address. */
  readonly complete?: boolean;
}

export interface Bridge {
  /** Name → number. */
  readonly ports: Readonly<Record<string, number>>;
  /** Hardware address → number of the port, several for one that was seen on several. */
  readonly learned: readonly (readonly [mac: string, port: number, local?: boolean])[];
}

/** Writes it in place of what was there. */
export function writeKernel(
  directory: string,
  neighbours: readonly Neighbour[],
  bridges: Readonly<Record<string, Bridge>>,
): KernelFiles {
  const files = { arp: join(directory, "arp"), devices: join(directory, "net") };
  rmSync(files.devices, { recursive: true, force: true });
  mkdirSync(files.devices, { recursive: true });
  const head = "IP address       HW type     Flags       HW address            Mask     Device\n";
  const line = ({ address, mac, device, complete = true }: Neighbour): string =>
    `${address.padEnd(16)} 0x1         0x${complete ? 2 : 0}         ${mac}     *        ${device}\n`;
  writeFileSync(files.arp, head + neighbours.map(line).join(""));
  for (const [name, { ports, learned }] of Object.entries(bridges)) {
    for (const [port, number] of Object.entries(ports)) {
      const of = join(files.devices, name, "brif", port);
      mkdirSync(of, { recursive: true });
      writeFileSync(join(of, "port_no"), `0x${number.toString(16)}\n`);
    }
    writeFileSync(join(files.devices, name, "brforward"), Buffer.concat(learned.map(fdbEntry)));
  }
  return files;
}

function fdbEntry([mac, port, local = false]: readonly [string, number, boolean?]): Buffer {
  const entry = Buffer.alloc(16);
  Buffer.from(mac.replaceAll(":", ""), "hex").copy(entry);
  entry[6] = port & 255;
  entry[7] = local ? 1 : 0;
  entry[12] = port >> 8;
  return entry;
}
