/** Places and memory shared by clients: which connection is closed at a limit. */
import fc from "fast-check";
import t from "tap";
import { connectionShare, type SharedConnection } from "../../src/daemon/connection-share.ts";

t.test("any order of connections: none of a client that has fewer than another is closed", async () => {
  const client = fc.constantFrom("greedy", "greedy", "greedy", "busy", "busy", "quiet");
  fc.assert(
    fc.property(fc.array(client, { maxLength: 60 }), fc.integer({ min: 1, max: 12 }), (clients, places) => {
      const open: SharedConnection[] = [];
      const of = (name: string): number => open.filter((each) => each.client === name).length;
      const share = connectionShare({ connections: places });
      for (const [active, name] of clients.entries()) {
        const connection: SharedConnection = {
          client: name,
          active,
          held: 0,
          destroy() {
            const most = Math.max(...open.map((each) => of(each.client)));
            if (of(name) < most) throw new Error(`${name} has ${of(name)}, another client ${most}`);
            if (open.some((each) => each.client === name && each.active < active))
              throw new Error("it is not the longest idle one");
            open.splice(open.indexOf(connection), 1);
          },
        };
        share.add(connection);
        open.push(connection);
        if (open.length > places) throw new Error(`${open.length} of ${places}`);
      }
      return open.length === Math.min(places, clients.length);
    }),
    { numRuns: 2000 },
  );
});

t.test("memory: the largest connection of the client that holds most is closed, until it fits", async (t) => {
  const closed: string[] = [];
  const share = connectionShare({ connections: 9, held: 100 });
  const open = (client: string, name: string): SharedConnection => {
    const connection = { client, active: 0, held: 0, destroy: () => void closed.push(name) };
    share.add(connection);
    return connection;
  };
  const [a, b, c] = [open("one", "a"), open("one", "b"), open("two", "c")];
  share.setHeld(a, 30);
  share.setHeld(b, 25);
  share.setHeld(c, 40);
  t.strictSame(closed, []);
  share.setHeld(b, 31);
  t.strictSame(closed, ["b"], "one client holds 61, the other 40");
  share.setHeld(c, 80);
  t.strictSame(closed, ["b", "c"]);
  share.setHeld(b, 1000);
  t.strictSame(closed, ["b", "c"], "one that is closed no longer counts");
});
