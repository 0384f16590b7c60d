// A consumer in a process of its own, so that it can be killed: both ends.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Context, eventually } from "./harness.js";

export class Member {
  assigned = [];
  rebalances = 0;
  error = "";
  values = [];
  #process;

  /** Start one: this very program, with these settings of its reader. */
  constructor(context, settings) {
    const argument = JSON.stringify({ ...context, ...settings });
    const command = [process.argv[1], "member", argument];
    this.#process = spawn(process.execPath, command, {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: this.#process.stdout });
    lines.on("line", (line) => this.#hear(line));
  }

  /** End it by closing its consumer. */
  async leave() {
    this.#process.stdin.end();
    await this.#ended();
  }

  /** SIGKILL. */
  async kill() {
    this.#process.kill("SIGKILL");
    await this.#ended();
  }

  async #ended() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await once(this.#process, "exit");
    }
  }

  #hear(line) {
    const event = line.startsWith("{") ? JSON.parse(line) : {};
    if (event.assigned) {
      this.assigned = event.assigned;
      this.rebalances += 1;
    } else if (event.member) {
      this.error = event.member;
    } else if (event.record !== undefined) {
      this.values.push(event.record);
    }
  }
}

/** Wait until the members share all partitions evenly, each owned once. */
export async function settled(members, partitions, seconds = 30) {
  const even = () => {
    const owned = members.flatMap((member) => member.assigned);
    const sizes = members.map((member) => member.assigned.length);
    return (
      owned.length === partitions &&
      new Set(owned).size === partitions &&
      Math.max(...sizes) - Math.min(...sizes) <= 1
    );
  };
  const what = `${members.length} members share ${partitions} partitions evenly`;
  await eventually(even, what, seconds);
}

/** The other end: reads until its standard input ends. */
export async function member(client, argument) {
  const settings = JSON.parse(argument);
  const tell = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
  let leaving = false;
  process.stdin.on("end", () => (leaving = true)).resume();
  const reader = await client.reader(new Context(settings), {
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    autoCommit: true,
    onAssigned: (assigned) => tell({ assigned }),
    onError: (error) => tell({ member: client.errorName(error) }),
    ...settings,
  });
  while (!leaving) {
    const record = await reader.next(100);
    if (record) {
      tell({ record: record.value.toString() });
    }
  }
  await reader.close();
  process.exit(0);
}
