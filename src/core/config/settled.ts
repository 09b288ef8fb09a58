/** What is set already, of what a first configuration holds. */
import { type Ipv4, parseIpv4 } from "../addresses/ipv4.ts";
import { ConfigError, type Problem } from "../errors.ts";
import { assigned, type Outside } from "./assigned.ts";
import { KEYS, type KeyName } from "./keys.ts";
import { Bad } from "./values.ts";

/** Undefined is what is to be proposed. */
export interface Settled {
  readonly device?: string | undefined;
  readonly hostIp?: Ipv4 | undefined;
  readonly storageDir?: string | undefined;
  readonly title?: string | undefined;
}

/** What a file and what is set beside it settle. Throws ConfigError for each mistake: nothing is proposed on top of one. */
export function settled(sources: Outside & { readonly file: string; readonly text: string }): Settled {
  const { set, problems } = assigned(sources);
  const wrong = [...set].flatMap(([key, { value, where }]): Problem[] => {
    try {
      KEYS[key].parse(value);
      return [];
    } catch (error) {
      if (!(error instanceof Bad)) throw error;
      return [{ where, key, message: error.message }];
    }
  });
  if (problems.length + wrong.length > 0) throw new ConfigError([...problems, ...wrong]);
  const value = (key: KeyName): string | undefined => set.get(key)?.value;
  return {
    device: value("NETWORK_DEVICE"),
    hostIp: parseIpv4(value("HOST_IP") ?? ""),
    storageDir: value("STORAGE_DIR"),
    title: value("WEB_TITLE"),
  };
}
