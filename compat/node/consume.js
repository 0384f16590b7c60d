// Consuming: where to begin, pausing, seeking, what is not there.
import { check, equal, failure, numbers } from "./harness.js";
import { fill, read, record, send, text } from "./reader.js";

const NOW_MS = 1_700_000_000_000;

export const consume = (client) => ({
  consume_beginning: (context) => beginning(client, context),
  consume_end: (context) => end(client, context),
  consume_offset: (context) => offset(client, context),
  consume_timestamp: (context) => timestamp(client, context),
  pause_resume: (context) => pauseResume(client, context),
  seek: (context) => seek(client, context),
  unknown_topic: (context) => unknownTopic(client, context),
  bad_partition: (context) => badPartition(client, context),
});

const offsets = (records) => records.map((each) => each.offset);

async function filled(client, context, count) {
  const topic = await client.createTopic(context);
  await fill(client, context, topic, 0, 0, count);
  return topic;
}

async function reading(client, context, settings, story) {
  const reader = await client.reader(context, {
    group: context.name("reader"),
    ...settings,
  });
  try {
    await story(reader);
  } finally {
    await reader.close();
  }
}

async function beginning(client, context) {
  const topic = await filled(client, context, 100);
  const found = await read(client, context, topic, 100);
  equal(offsets(found), numbers(0, 100), "offsets");
  equal(
    await client.bounds(context, topic),
    [{ partition: 0, low: 0, high: 100 }],
    "beginning and end",
  );
}

async function end(client, context) {
  const topic = await filled(client, context, 50);
  await reading(client, context, { topic, from: "end" }, async (reader) => {
    await reader.silent();
    await fill(client, context, topic, 0, 50, 51);
    equal(offsets(await reader.take(1)), [50], "what came after");
  });
}

async function offset(client, context) {
  const topic = await filled(client, context, 100);
  await reading(client, context, { topic }, async (reader) => {
    await reader.seek(0, 42);
    equal(offsets(await reader.take(58)), numbers(42, 100), "offsets");
    await reader.seek(0, 5000);
    equal(
      offsets(await reader.take(100)),
      numbers(0, 100),
      "after a reset to the earliest",
    );
  });
  await client.outOfRange?.(context, topic);
}

async function timestamp(client, context) {
  // Old records, which retention must not take away.
  const topic = await client.createTopic(context, {
    partitions: 2,
    configs: { "retention.ms": "-1" },
  });
  // One batch a record, so that the index has something to find.
  const sent = numbers(0, 100).map((number) => ({
    ...record(0, number),
    timestamp: NOW_MS + number * 1000,
  }));
  await send(client, context, topic, sent, { batch: 1 });
  const at = (partition, time) =>
    client.offsetAt(context, topic, partition, time);
  const none = client.offsetAfterAll;
  equal(await at(0, NOW_MS + 40_000), 40, "the exact time");
  equal(await at(0, NOW_MS + 40_001), 41, "between two records");
  equal(await at(0, NOW_MS - 1), 0, "before all");
  equal(await at(0, NOW_MS + 99_001), none ?? 100, "after all");
  equal(await at(1, NOW_MS), none ?? 0, "an empty partition");
  await reading(client, context, { topic }, async (reader) => {
    await reader.seek(0, await at(0, NOW_MS + 90_000));
    equal(
      (await reader.take(10)).map((each) => each.timestamp),
      numbers(90, 100).map((number) => NOW_MS + number * 1000),
      "timestamps",
    );
  });

  const stamped = await client.createTopic(context, {
    suffix: "append-time",
    configs: { "message.timestamp.type": "LogAppendTime" },
  });
  const before = Date.now();
  await send(client, context, stamped, [
    { ...record(0, "v"), timestamp: NOW_MS },
  ]);
  const [found] = await read(client, context, stamped, 1);
  if (!client.heedsLogAppendTime) {
    equal(found.timestamp, NOW_MS, "the record's own time");
    return;
  }
  check(
    found.timestamp >= before - 1000 && found.timestamp <= Date.now() + 1000,
    `LogAppendTime gave ${found.timestamp}`,
  );
}

async function pauseResume(client, context) {
  const topic = await client.createTopic(context, { partitions: 2 });
  await reading(client, context, { topic }, async (reader) => {
    const both = async (from, to) => {
      await fill(client, context, topic, 0, from, to);
      await fill(client, context, topic, 1, from, to);
    };
    await both(0, 50);
    await reader.take(100);
    await reader.pause(0);
    await both(50, 100);
    check(
      (await reader.take(50)).every(({ partition }) => partition === 1),
      "a paused partition spoke",
    );
    await reader.silent();
    await reader.resume(0);
    equal(offsets(await reader.take(50)), numbers(50, 100), "after the pause");
  });
}

async function seek(client, context) {
  const topic = await filled(client, context, 200);
  await reading(client, context, { topic }, async (reader) => {
    await reader.take(140);
    for (const target of [10, 180, 0, 120]) {
      await reader.seek(0, target);
      equal(
        offsets(await reader.take(20)),
        numbers(target, target + 20),
        `after a seek to ${target}`,
      );
    }
  });
}

async function unknownTopic(client, context) {
  const absent = context.name("absent");
  const refused = async (expected, action, what) =>
    equal(client.errorName(await failure(action, what)), expected, what);
  const unknown = "UNKNOWN_TOPIC_OR_PARTITION";
  await refused(
    unknown,
    () => client.deleteTopic(context, absent),
    "deleting what is not there",
  );
  await refused(
    unknown,
    () =>
      send(client, context, absent, [record(0, "v")], { autoCreate: false }),
    "producing to what is not there",
  );
  check(
    !(await client.topics(context)).includes(absent),
    "asking for a topic has created it",
  );
  const wanted = context.name("wanted");
  await send(client, context, wanted, [{ value: Buffer.from("creates it") }]);
  equal(
    (await read(client, context, wanted, 1)).map(text),
    ["creates it"],
    "the auto-created topic",
  );
  await refused(
    "INVALID_TOPIC_EXCEPTION",
    () => send(client, context, "no such name/", [record(0, "v")]),
    "a bad name",
  );
}

async function badPartition(client, context) {
  const topic = await filled(client, context, 10);
  const produce = () => send(client, context, topic, [record(99, "v")]);
  if (client.wrongPartition === "refused") {
    await failure(produce, "producing");
  } else {
    const wrapped = [{ partition: 0, offset: 10 }];
    equal(
      await produce(),
      client.wrongPartition === "wrapped" ? wrapped : [],
      "what was placed",
    );
  }
  await reading(client, context, { topic }, async (reader) => {
    const [first] = await reader.take(1);
    equal(first.offset, 0, "the first record");
    const commit = () => reader.commit([{ topic, partition: 99, offset: 0 }]);
    await (client.tellsCommitErrors ? failure(commit, "committing") : commit());
    equal(
      offsets(await reader.take(9)),
      numbers(1, 10),
      "records of the partition that is there",
    );
  });
}
