// The broker goes away and comes back under clients that stay.
import { equal, eventually, numbers } from "./harness.js";
import { read, record, text } from "./reader.js";

const PARTITIONS = 3;

export const restarts = (client) => ({
  restart_in_the_middle: (context) => restartInTheMiddle(client, context),
});

async function restartInTheMiddle(client, context) {
  const topic = await client.createTopic(context, { partitions: PARTITIONS });
  const load = new Load(client, context, topic);
  const running = [load.produce(), load.consume(), load.consume()];
  try {
    for (const action of ["kill", "stop"]) {
      await load.progress();
      await context.broker(action);
      await context.broker("start");
    }
    await load.progress();
  } finally {
    load.stop = true;
    await Promise.all(running);
  }
  await load.verify();
}

/** An idempotent producer and two committing members, until told to stop. */
class Load {
  stop = false;
  #sent = 0;
  #seen = new Set();
  #errors = [];

  constructor(client, context, topic) {
    Object.assign(this, { client, context, topic });
  }

  /** Wait until more records are acknowledged and read by the group. */
  async progress(count = 500) {
    const [sent, seen] = [this.#sent, this.#seen.size];
    await eventually(
      () =>
        this.#errors.length ||
        (this.#sent >= sent + count && this.#seen.size >= seen + count),
      `${count} more records are acknowledged and read`,
      45,
    );
  }

  /** The log holds what was acknowledged, once, in order; nothing failed. */
  async verify() {
    equal(this.#errors, [], "errors of clients");
    const found = await read(this.client, this.context, this.topic, this.#sent);
    for (const partition of numbers(0, PARTITIONS)) {
      equal(
        found.filter((each) => each.partition === partition).map(text),
        numbers(0, this.#sent)
          .filter((number) => number % PARTITIONS === partition)
          .map(String),
        `records of partition ${partition}`,
      );
    }
  }

  async produce() {
    await this.#noted("produce", async () => {
      const settings = { idempotent: true, patient: true };
      const producer = await this.client.producer(this.context, settings);
      while (!this.stop) {
        const batch = numbers(this.#sent, this.#sent + 6);
        const records = batch.map((n) => record(n % PARTITIONS, n));
        await producer.send(this.topic, records);
        this.#sent += batch.length;
      }
      await producer.close();
    });
  }

  async consume() {
    await this.#noted("consume", async () => {
      const reader = await this.client.reader(this.context, {
        topic: this.topic,
        group: this.context.name(),
        autoCommit: true,
        patient: true,
        heartbeatInterval: 500,
        onError: (error) => this.#note("consume", error),
      });
      while (!this.stop) {
        const found = await reader.next(100);
        if (found) {
          this.#seen.add(`${found.partition}-${found.offset}`);
        }
      }
      await reader.close();
    });
  }

  async #noted(who, work) {
    try {
      await work();
    } catch (error) {
      this.#note(who, error);
    }
  }

  #note(who, error) {
    console.error(error);
    this.#errors.push(`${who}: ${error.name}: ${error.message}`);
  }
}
