// Administration: topics, partitions, records, groups.
import { promisify } from "node:util";
import confluent from "@confluentinc/kafka-javascript";
import { check, equal, eventually, failure, numbers } from "../node/harness.js";
import { fill, read } from "../node/reader.js";
import * as client from "./client.js";

const TIMEOUT_MS = 30_000;

export const scenarios = {
  create_topic: (context) =>
    client.administrate(context, (admin) => createTopic(context, admin)),
  admin: (context) =>
    client.administrate(context, (admin) => administration(context, admin)),
};

async function refused(expected, action, what) {
  equal(client.errorName(await failure(action, what)), expected, what);
}

async function createTopic(context, admin) {
  const topic = context.name();
  const create = (name, others) =>
    admin.createTopics({
      topics: [{ topic: name, ...others }],
      timeout: TIMEOUT_MS,
    });
  const configured = (name, value) => ({ configEntries: [{ name, value }] });
  const asked = { numPartitions: 3, ...configured("retention.ms", "3600000") };
  equal(await create(topic, asked), true, "the topic is new");
  await client.served(context, topic);
  for (const partition of numbers(0, 3)) {
    await fill(client, context, topic, partition, 0, 1);
  }
  equal((await partitionsOf(admin, topic)).length, 3, "partitions");

  equal(await create(topic, {}), false, "the topic is new a second time");
  const refusals = [
    ["INVALID_TOPIC_EXCEPTION", "not a name", {}],
    [
      "INVALID_REPLICATION_FACTOR",
      context.name("rf"),
      { replicationFactor: 5 },
    ],
    ["INVALID_CONFIG", context.name("c"), configured("retention.ms", "soon")],
    ["INVALID_CONFIG", context.name("u"), configured("no.such.config", "1")],
  ];
  for (const [error, name, others] of refusals) {
    await refused(error, () => create(name, others), `creating ${name}`);
  }
  const defaults = context.name("defaults");
  await create(defaults, {});
  await client.served(context, defaults);
  equal((await partitionsOf(admin, defaults)).length, 1, "default partitions");
}

async function partitionsOf(admin, topic) {
  const [found] = await admin.fetchTopicMetadata({ topics: [topic] });
  return found.partitions;
}

async function administration(context, admin) {
  const topic = await client.createTopic(context, { partitions: 2 });
  await partitions(context, admin, topic);
  await records(context, admin, topic);
  await groups(context, admin, topic);
  await admin.deleteTopics({ topics: [topic], timeout: TIMEOUT_MS });
  await eventually(
    async () => !(await admin.listTopics()).includes(topic),
    "the topic is gone",
  );
}

/** Only its callbacks can add partitions. */
async function partitions(context, admin, topic) {
  const inner = confluent.AdminClient.create({
    "metadata.broker.list": context.bootstrap,
  });
  const increase = (count) =>
    promisify(inner.createPartitions).call(inner, topic, count, TIMEOUT_MS);
  try {
    await increase(5);
    await eventually(
      async () => (await partitionsOf(admin, topic)).length === 5,
      "there are five partitions",
    );
    await refused("INVALID_PARTITIONS", () => increase(3), "fewer partitions");
  } finally {
    inner.disconnect();
  }
  check(
    (await partitionsOf(admin, topic)).every(
      ({ leader, isr }) => leader === 1 && isr.length === 1,
    ),
    "leaders, replicas",
  );
}

async function records(context, admin, topic) {
  await fill(client, context, topic, 0, 0, 50);
  const remove = (offset) =>
    admin.deleteTopicRecords({
      topic,
      partitions: [{ partition: 0, offset: String(offset) }],
      timeout: TIMEOUT_MS,
    });
  const [removed] = await remove(30);
  equal(Number(removed.lowWatermark), 30, "low watermark");
  equal(
    (await client.bounds(context, topic)).find((each) => each.partition === 0),
    { partition: 0, low: 30, high: 50 },
    "first and end offset",
  );
  equal(
    (await read(client, context, topic, 20)).map(({ offset }) => offset),
    numbers(30, 50),
    "what is left",
  );
  await refused("OFFSET_OUT_OF_RANGE", () => remove(51), "beyond the end");
}

async function groups(context, admin, topic) {
  const group = context.name();
  const listed = async () =>
    (await admin.listGroups()).groups.some(({ groupId }) => groupId === group);
  const remove = () => admin.deleteGroups([group]);
  const member = await client.reader(context, { topic, group });
  await member.take(20);
  await member.commit(member.positions());
  check(await listed(), "the group is not listed");
  await refused("NON_EMPTY_GROUP", remove, "deleting a living group");
  await member.close();
  const { offset } = await client.committed(context, group, topic, 0);
  equal(offset, 50, "committed offset");
  await remove();
  check(!(await listed()), "the group is still there");
  await refused(
    "GROUP_ID_NOT_FOUND",
    remove,
    "deleting a group that is not there",
  );
}
