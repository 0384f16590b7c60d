// A program's side of the conversation of compat/programs.py, and the small
// words its scenarios are written in.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect, isDeepStrictEqual } from "node:util";

/** The runner can not do what the scenario needs. */
class Skip extends Error {}

/** One scenario's world. Everything it creates carries its prefix. */
export class Context {
  #runner;

  constructor({ scenario, kind, bootstrap, prefix }, runner) {
    Object.assign(this, { scenario, kind, bootstrap, prefix });
    this.#runner = runner;
  }

  /** The name of a topic or group that nobody else uses. */
  name(suffix) {
    return [this.prefix, this.scenario, suffix].filter(Boolean).join("-");
  }

  /** Have the runner kill, stop or start the broker. */
  async broker(action) {
    say("broker", action);
    const [word, ...text] = (await this.#runner.next()).value.split("\t");
    if (word === "refused") {
      throw new Skip(text.join(" "));
    }
    check(
      word === "done",
      `the runner could not ${action} the broker: ${text}`,
    );
  }
}

/** Answer the runner until it closes our standard input. */
export async function serve(version, scenarios) {
  say("client", version);
  say("scenarios", ...Object.keys(scenarios));
  const runner = createInterface({ input: process.stdin })[
    Symbol.asyncIterator
  ]();
  for await (const line of runner) {
    const [, scenario, kind, bootstrap, prefix] = line.split("\t");
    const context = new Context({ scenario, kind, bootstrap, prefix }, runner);
    say(...(await outcome(scenarios[scenario], context)));
  }
  process.exit(0);
}

async function outcome(scenario, context) {
  try {
    return ["passed", (await scenario(context)) ?? ""];
  } catch (error) {
    if (error instanceof Skip) {
      return ["skipped", error.message];
    }
    // Where it happened is in the program's log; the runner shows what.
    console.error(error);
    return ["failed", `${error?.name}: ${error?.message}`];
  }
}

function say(word, ...fields) {
  const cleaned = fields.map((field) =>
    field.replaceAll("\t", " ").replaceAll("\n", " | "),
  );
  process.stdout.write(`@${[word, ...cleaned].join("\t")}\n`);
}

export function check(condition, message) {
  if (!condition) {
    throw new Error(message);
  }
}

/** Fail when two things differ, showing both. */
export function equal(found, expected, what) {
  if (!isDeepStrictEqual(found, expected)) {
    throw new Error(
      `${what}: expected ${short(expected)}, found ${short(found)}`,
    );
  }
}

/** Fail when `condition` does not become true in time. */
export async function eventually(condition, what, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    check(Date.now() < deadline, `not within ${seconds} s: ${what}`);
    await sleep(50);
  }
}

/** The error that something must fail with. */
export async function failure(action, what) {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error(`${what}: it worked`);
}

export const numbers = (from, to) =>
  Array.from({ length: to - from }, (_, index) => from + index);

function short(value) {
  const text = inspect(value, {
    depth: 5,
    breakLength: Infinity,
    maxStringLength: 100,
  });
  return text.length <= 300
    ? text
    : `${text.slice(0, 200)}… (${text.length} characters)`;
}
