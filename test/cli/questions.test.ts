/** Questions of yes or no. */
import t from "tap";
import { agreed } from "../../src/cli/first-conf.ts";

t.test("agreed: yes, no and Enter are answers; anything else is asked again", async (t) => {
  for (const [answers, result] of [
    [["y"], true],
    [["YES"], true],
    [[""], false],
    [["No"], false],
    [["yo", "ja", "y"], true],
    [["x", "n"], false],
  ] as const) {
    const left: string[] = [...answers];
    const asked: string[] = [];
    const ask = async (question: string): Promise<string> => {
      asked.push(question);
      return left.shift() ?? "";
    };
    t.equal(await agreed(ask, "Remove?"), result, answers.join());
    t.same(
      asked,
      answers.map(() => "Remove? [y/N] "),
    );
  }
});
