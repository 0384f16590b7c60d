// Producing: codecs, keys, headers, sizes, acknowledgements.
import { randomBytes } from "node:crypto";
import { check, equal, failure, numbers } from "./harness.js";
import { read, record, send, text } from "./reader.js";

// Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
const BATCH_OVERHEAD = 72;
const MAX_BATCH = 1_048_588;

export const produce = (client) => ({
  ...Object.fromEntries(
    client.codecs.map((codec) => [
      `produce_${codec}`,
      (context) => withCodec(client, context, codec),
    ]),
  ),
  keyed_and_unkeyed: (context) => keyedAndUnkeyed(client, context),
  headers: (context) => headers(client, context),
  message_size_boundary: (context) => messageSizeBoundary(client, context),
  idempotent: (context) => idempotent(client, context),
  acks_0_1_all: (context) => acknowledgements(client, context),
  transactional_refused: (context) => transactionalRefused(client, context),
});

/** What a client makes of an empty key or value. */
const kept = (client, bytes) =>
  client.emptyBecomesNull && bytes?.length === 0 ? null : bytes;

const of = (records, partition) =>
  records.filter((each) => each.partition === partition);

async function withCodec(client, context, codec) {
  const topic = await client.createTopic(context, { partitions: 3 });
  const fox = "the quick brown fox jumps over the lazy dog ".repeat(120);
  const sizes = [0, 1, 10, 100, 1000, 5000];
  const sent = numbers(0, 600).map((number) => ({
    partition: number % 3,
    key: Buffer.from(String(number)),
    value:
      number % 2
        ? randomBytes(sizes[number % 6])
        : Buffer.from(fox.slice(0, sizes[number % 6])),
  }));
  await send(client, context, topic, sent, { codec, batch: 100 });
  const found = await read(client, context, topic, sent.length);
  for (const partition of [0, 1, 2]) {
    equal(
      of(found, partition).map(({ key, value }) => [key, value]),
      of(sent, partition).map(({ key, value }) => [key, kept(client, value)]),
      `partition ${partition}`,
    );
  }
}

async function keyedAndUnkeyed(client, context) {
  const topic = await client.createTopic(context, { partitions: 6 });
  const keyed = numbers(0, 200).map((number) => ({
    key: Buffer.from(`key-${number % 20}`),
    value: Buffer.from(String(number)),
  }));
  const unkeyed = numbers(0, 200).map((number) => ({
    key: null,
    value: Buffer.from(`unkeyed-${number}`),
  }));
  const special = [
    { key: Buffer.alloc(0), value: Buffer.from("empty key") },
    { key: Buffer.from("tombstone"), value: null },
    { key: Buffer.from("empty value"), value: Buffer.alloc(0) },
  ];
  const sent = [...keyed, ...special, ...unkeyed];
  await send(client, context, topic, sent, { batch: 50 });
  const found = await read(client, context, topic, sent.length);
  for (const number of numbers(0, 20)) {
    const mine = found.filter(({ key }) => key?.toString() === `key-${number}`);
    equal(
      new Set(mine.map(({ partition }) => partition)).size,
      1,
      `partitions of key-${number}`,
    );
    equal(
      mine.map(text),
      numbers(0, 10).map((n) => String(n * 20 + number)),
      `order of key-${number}`,
    );
  }
  for (const { key, value } of [...special, ...unkeyed]) {
    const isIt = (each) =>
      same(each.key, kept(client, key)) &&
      same(each.value, kept(client, value));
    check(found.some(isIt), `${key}: ${value} did not come back as it was`);
  }
}

const same = (one, other) =>
  one === null || other === null ? one === other : one.equals(other);

async function headers(client, context) {
  const topic = await client.createTopic(context);
  const cases = [
    [["one", Buffer.from("1")]],
    client.duplicateHeaders,
    [
      ...client.nullHeaders,
      ["empty", Buffer.alloc(0)],
      ["binary", Buffer.from(numbers(0, 256))],
      ["ünïcode", Buffer.from("✓")],
    ],
    numbers(0, 100).map((number) => [`header-${number}`, Buffer.alloc(number)]),
    [],
  ];
  const sent = cases.map((each) => ({ ...record(0, "v"), headers: each }));
  await send(client, context, topic, sent);
  const found = await read(client, context, topic, cases.length);
  for (const [index, expected] of cases.entries()) {
    equal(found[index].headers, expected, "headers");
  }
}

async function messageSizeBoundary(client, context) {
  const tooLarge = async (topic, size, what) =>
    equal(
      client.errorName(
        await failure(
          () => send(client, context, topic, [sized(size)], { codec: "none" }),
          what,
        ),
      ),
      "MESSAGE_TOO_LARGE",
      what,
    );
  const topic = await client.createTopic(context);
  const largest = sized(MAX_BATCH - BATCH_OVERHEAD);
  await send(client, context, topic, [largest], { codec: "none" });
  await tooLarge(topic, MAX_BATCH - BATCH_OVERHEAD + 1, "one byte more");
  const [found] = await read(client, context, topic, 1);
  check(found.value.equals(largest.value), "the largest record has changed");

  const roomy = await client.createTopic(context, {
    suffix: "roomy",
    configs: { "max.message.bytes": "5000000" },
  });
  const big = sized(4_000_000);
  await send(client, context, roomy, [big], { codec: "none" });
  // At least one batch comes, however small the limits of the consumer are.
  const [large] = await read(client, context, roomy, 1, { maxBytes: 1000 });
  check(large.value.equals(big.value), "a large record has changed");

  const narrow = await client.createTopic(context, {
    suffix: "narrow",
    configs: { "max.message.bytes": "1000" },
  });
  await send(client, context, narrow, [sized(930)], { codec: "none" });
  await tooLarge(narrow, 1000, "above the topic's limit");
}

const sized = (size) => ({ partition: 0, value: randomBytes(size) });

async function idempotent(client, context) {
  const topic = await client.createTopic(context, { partitions: 6 });
  const sent = numbers(0, 6000).map((number) => record(number % 6, number));
  const settings = { idempotent: true, batch: 300 };
  const placed = await send(client, context, topic, sent, settings);
  const found = await read(client, context, topic, sent.length);
  for (const partition of numbers(0, 6)) {
    equal(
      of(placed, partition).map(({ offset }) => offset),
      numbers(0, 20).map((batch) => batch * 50),
      `acknowledged offsets of partition ${partition}`,
    );
    equal(
      of(found, partition).map(text),
      of(sent, partition).map(text),
      `partition ${partition}`,
    );
  }
}

async function acknowledgements(client, context) {
  const topic = await client.createTopic(context, { partitions: 3 });
  const kinds = [0, 1, -1];
  for (const [partition, acks] of kinds.entries()) {
    const sent = numbers(0, 300).map((n) => record(partition, `${acks}-${n}`));
    const placed = await send(client, context, topic, sent, {
      acks,
      batch: 30,
    });
    if (acks !== 0) {
      equal(
        placed.map(({ offset }) => offset),
        numbers(0, 10).map((batch) => batch * 30),
        `offsets with acks=${acks}`,
      );
    }
  }
  const found = await read(client, context, topic, 900);
  for (const [partition, acks] of kinds.entries()) {
    equal(
      of(found, partition).map(text),
      numbers(0, 300).map((number) => `${acks}-${number}`),
      `acks=${acks}`,
    );
  }
}

async function transactionalRefused(client, context) {
  const started = Date.now();
  const error = await failure(
    () => client.beginTransaction(context, context.name()),
    "a transactional producer",
  );
  check(
    Date.now() - started < 5000,
    `the error took more than 5 s: ${error.message}`,
  );
  check(
    client.isFinal(error),
    `an error that clients retry: ${error.name}: ${error.message}`,
  );
}
