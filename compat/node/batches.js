// What kafkajs and the client that took over its API have in common: batches
// are handed to a function, and headers are an object.
import { Reader } from "./reader.js";

export class BatchReader extends Reader {
  #inner;
  #topic;

  constructor(inner, topic) {
    super();
    this.#inner = inner;
    this.#topic = topic;
  }

  async hand({ batch, resolveOffset, heartbeat, isRunning, isStale }) {
    const { topic, partition } = batch;
    for (const message of batch.messages) {
      if (!isRunning() || isStale()) {
        return;
      }
      const { key, value, headers } = message;
      const record = {
        topic,
        partition,
        key,
        value,
        offset: Number(message.offset),
        timestamp: Number(message.timestamp),
        headers: flat(headers ?? {}),
      };
      if (!(await this.offer(record))) {
        return;
      }
      resolveOffset(message.offset);
      await heartbeat();
    }
  }

  seek(partition, offset) {
    this.#inner.seek({ topic: this.#topic, partition, offset: String(offset) });
    this.drop();
  }

  pause(partition) {
    this.#inner.pause([{ topic: this.#topic, partitions: [partition] }]);
  }

  resume(partition) {
    this.#inner.resume([{ topic: this.#topic, partitions: [partition] }]);
  }

  commit(positions) {
    return this.#inner.commitOffsets(
      positions.map((each) => ({ ...each, offset: String(each.offset) })),
    );
  }

  async close() {
    this.refuse();
    await this.#inner.disconnect();
  }
}

/** Headers as that API wants them: one entry a name, with all its values. */
export function grouped(pairs) {
  const headers = {};
  for (const [name, value] of pairs) {
    headers[name] = name in headers ? [headers[name], value].flat() : value;
  }
  return headers;
}

const flat = (headers) =>
  Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value]),
  );
