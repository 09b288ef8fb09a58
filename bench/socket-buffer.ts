// What `ReceiveBuffer=4M` of a socket unit is, for a launcher that has no such option: systemd sets it by force as well.
import { loadSockets } from "../src/platform/libc.ts";

const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const FIRST_HANDED = 3;

const libc = loadSockets();
if ("reason" in libc) throw new Error(libc.reason);
const size = new Uint8Array(Int32Array.of(4 << 20).buffer);
if (libc.calls.setsockopt(FIRST_HANDED, SOL_SOCKET, SO_RCVBUFFORCE, size, 4) < 0)
  throw new Error(libc.calls.failure());
