// What is this client's own: a stream that is paused, or begins nowhere.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { equal, numbers } from "../node/harness.js";
import { fill } from "../node/reader.js";
import { consumer, createTopic, errorName } from "./client.js";
import * as client from "./client.js";

/** A whole stream is paused: single partitions can not be. */
export async function pauseResume(context) {
  const topic = await createTopic(context);
  const inner = consumer(context, context.name());
  try {
    const stream = await inner.consume({
      topics: [topic],
      mode: "committed",
      fallbackMode: "earliest",
    });
    const found = [];
    stream.on("data", ({ offset }) => found.push(Number(offset)));
    const reaches = async (count) => {
      while (found.length < count) {
        await once(stream, "data", { signal: AbortSignal.timeout(20_000) });
      }
      equal(found, numbers(0, count), "offsets");
    };
    await fill(client, context, topic, 0, 0, 50);
    await reaches(50);
    stream.pause();
    await fill(client, context, topic, 0, 50, 100);
    await sleep(1000);
    equal(found.length, 50, "records while it is paused");
    stream.resume();
    await reaches(100);
  } finally {
    await inner.close(true);
  }
}

/** Without a place to fall back to, an offset out of range is an error. */
export async function outOfRange(context, topic) {
  const inner = consumer(context, context.name("strict"));
  try {
    const stream = await inner.consume({
      topics: [topic],
      mode: "manual",
      fallbackMode: "fail",
      offsets: [{ topic, partition: 0, offset: 5000n }],
    });
    stream.on("data", () => {});
    const signal = AbortSignal.timeout(20_000);
    const error = await once(stream, "error", { signal }).then(
      ([thrown]) => thrown,
      (late) => late,
    );
    equal(errorName(error), "OFFSET_OUT_OF_RANGE", "out of range");
  } finally {
    await inner.close(true);
  }
}
