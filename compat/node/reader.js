// Records from a client that pushes them, handed over one by one when they
// are asked for: what has not been taken has not been consumed.
import { check } from "./harness.js";

export class Reader {
  #offers = [];
  #takers = [];
  #closed = false;
  // The offset after the last record taken, by topic and partition.
  #positions = new Map();

  /** From the client's side: true once somebody has taken the record. */
  offer(record) {
    if (this.#closed) {
      return Promise.resolve(false);
    }
    const taker = this.#takers.shift();
    if (taker) {
      taker(record);
      return Promise.resolve(true);
    }
    return new Promise((resolve) => this.#offers.push({ record, resolve }));
  }

  /** Refuse what is on offer: it comes from a place that was left. */
  drop() {
    this.#offers.splice(0).forEach(({ resolve }) => resolve(false));
  }

  /** Refuse everything from now on. */
  refuse() {
    this.#closed = true;
    this.drop();
  }

  /** The next record, or null when none comes in time. */
  async next(milliseconds) {
    const record = await this.#next(milliseconds);
    if (record) {
      this.#positions.set(`${record.topic}\t${record.partition}`, {
        topic: record.topic,
        partition: record.partition,
        offset: record.offset + 1,
      });
    }
    return record;
  }

  #next(milliseconds) {
    const offer = this.#offers.shift();
    if (offer) {
      offer.resolve(true);
      return Promise.resolve(offer.record);
    }
    return new Promise((resolve) => {
      const taker = (record) => {
        clearTimeout(timer);
        resolve(record);
      };
      const timer = setTimeout(() => {
        this.#takers.splice(this.#takers.indexOf(taker), 1);
        resolve(null);
      }, milliseconds);
      this.#takers.push(taker);
    });
  }

  /** The next `count` records. */
  async take(count, seconds = 20) {
    const deadline = Date.now() + seconds * 1000;
    const found = [];
    while (found.length < count) {
      const record = await this.next(Math.max(0, deadline - Date.now()));
      check(record, `${found.length} of ${count} records within ${seconds} s`);
      found.push(record);
    }
    return found;
  }

  async silent(milliseconds = 1000) {
    const record = await this.next(milliseconds);
    check(
      !record,
      `a record where none was due: ${record?.partition}-${record?.offset}`,
    );
  }

  /** What a commit of everything taken says. */
  positions() {
    return [...this.#positions.values()];
  }
}

let readers = 0;

/** Exactly these many records of a topic, from the beginning. */
export async function read(client, context, topic, count, settings = {}) {
  const reader = await client.reader(context, {
    topic,
    group: context.name(`reader-${readers++}`),
    ...settings,
  });
  try {
    const found = await reader.take(count);
    await reader.silent(300);
    return found;
  } finally {
    await reader.close();
  }
}

/** Send all, `batch` records a call, call after call; where each batch was placed. */
export async function send(client, context, topic, records, settings = {}) {
  const { batch = records.length, ...others } = settings;
  const producer = await client.producer(context, others);
  try {
    const placed = [];
    for (let first = 0; first < records.length; first += batch) {
      const some = records.slice(first, first + batch);
      placed.push(...(await producer.send(topic, some)));
    }
    return placed;
  } finally {
    await producer.close();
  }
}

export const record = (partition, value) => ({
  partition,
  value: Buffer.from(String(value)),
});

/** Numbered records, one batch each, into one partition. */
export const fill = (client, context, topic, partition, from, to) =>
  send(
    client,
    context,
    topic,
    Array.from({ length: to - from }, (_, n) => record(partition, from + n)),
    { batch: 10 },
  );

export const text = ({ value }) => value?.toString() ?? null;
