// Administration: topics, partitions, configs, records, groups, cluster.
import kafkajs from "kafkajs";
import { check, equal, eventually, failure, numbers } from "../node/harness.js";
import { fill, read, send } from "../node/reader.js";
import * as client from "./client.js";

const { ConfigResourceTypes, ConfigSource } = kafkajs;

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
  const create = (name, others, options) =>
    admin.createTopics({
      topics: [{ topic: name, ...others }],
      waitForLeaders: false,
      ...options,
    });
  const configured = (name, value) => ({ configEntries: [{ name, value }] });
  equal(
    await create(topic, {
      numPartitions: 3,
      ...configured("retention.ms", "3600000"),
    }),
    true,
    "the topic is new",
  );
  await client.served(context, topic);
  for (const partition of numbers(0, 3)) {
    await fill(client, context, topic, partition, 0, 1);
  }
  const [described] = (await admin.fetchTopicMetadata({ topics: [topic] }))
    .topics;
  equal(described.partitions.length, 3, "partitions");
  equal(
    (await config(admin, topic, "retention.ms")).configValue,
    "3600000",
    "config",
  );

  equal(await create(topic, {}), false, "the topic is new a second time");
  const refusals = [
    ["INVALID_TOPIC_EXCEPTION", "not a name", {}],
    [
      "INVALID_REPLICATION_FACTOR",
      context.name("rf"),
      { replicationFactor: 5 },
    ],
    ["INVALID_PARTITIONS", context.name("p"), { numPartitions: 0 }],
    ["INVALID_CONFIG", context.name("c"), configured("retention.ms", "soon")],
    ["INVALID_CONFIG", context.name("u"), configured("no.such.config", "1")],
  ];
  for (const [error, name, others] of refusals) {
    await refused(error, () => create(name, others), `creating ${name}`);
  }
  const tried = context.name("tried");
  await create(tried, {}, { validateOnly: true });
  check(
    !(await admin.listTopics()).includes(tried),
    "validateOnly has created a topic",
  );
  const defaults = context.name("defaults");
  await create(defaults, {});
  await client.served(context, defaults);
  equal(
    (await admin.fetchTopicMetadata({ topics: [defaults] })).topics[0]
      .partitions.length,
    1,
    "default partitions",
  );
}

async function administration(context, admin) {
  const topic = await client.createTopic(context, { partitions: 2 });
  await cluster(admin);
  await partitions(admin, topic);
  await configs(context, admin, topic);
  await records(context, admin, topic);
  await groups(context, admin, topic);
  await admin.deleteTopics({ topics: [topic] });
  await eventually(
    async () => !(await admin.listTopics()).includes(topic),
    "the topic is gone",
  );
}

async function cluster(admin) {
  const { brokers, controller, clusterId } = await admin.describeCluster();
  check(clusterId, "no cluster id");
  equal(
    brokers.map(({ nodeId }) => nodeId),
    [1],
    "nodes",
  );
  equal(controller, 1, "controller");
}

async function partitions(admin, topic) {
  const increase = (count) =>
    admin.createPartitions({ topicPartitions: [{ topic, count }] });
  await increase(5);
  const described = async () =>
    (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions;
  await eventually(
    async () => (await described()).length === 5,
    "there are five partitions",
  );
  check(
    (await described()).every(
      ({ leader, isr }) => leader === 1 && isr.length === 1,
    ),
    "leaders, replicas",
  );
  await refused("INVALID_PARTITIONS", () => increase(3), "fewer partitions");
}

async function configs(context, admin, topic) {
  const name = "max.message.bytes";
  const before = await config(admin, topic, name);
  equal(before.configValue, "1048588", "the default");
  check(before.isDefault, "the default is called something else");
  // The old request: what is not named goes back to its default.
  await alter(admin, topic, name, "2000");
  await becomes(admin, topic, name, "2000");
  equal(
    (await config(admin, topic, name)).configSource,
    ConfigSource.TOPIC_CONFIG,
    "its source",
  );
  const large = { partition: 0, value: Buffer.alloc(3000) };
  await refused(
    "MESSAGE_TOO_LARGE",
    () => send(client, context, topic, [large]),
    "the new limit",
  );
  await alter(admin, topic, "cleanup.policy", "compact,delete");
  await becomes(admin, topic, name, "1048588");
  await becomes(admin, topic, "cleanup.policy", "compact,delete");
  await refused(
    "INVALID_CONFIG",
    () => alter(admin, topic, "retention.ms", "soon"),
    "a bad value",
  );
  await alter(admin, topic, "cleanup.policy", "delete");
  const type = ConfigResourceTypes.BROKER;
  const node = await configOf(admin, { type, name: "1" }, "node.id");
  equal(node.configValue, "1", "node.id of the broker");
  check(node.readOnly, "node.id can be altered");
}

/** Apache Kafka's broker learns of it after its controller has answered. */
const becomes = (admin, topic, name, value) =>
  eventually(
    async () => (await config(admin, topic, name)).configValue === value,
    `${name} becomes ${value}`,
    10,
  );

const config = (admin, topic, name) =>
  configOf(admin, { type: ConfigResourceTypes.TOPIC, name: topic }, name);

async function configOf(admin, resource, name) {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ ...resource, configNames: [name] }],
  });
  return resources[0].configEntries.find((each) => each.configName === name);
}

const alter = (admin, topic, name, value) =>
  admin.alterConfigs({
    validateOnly: false,
    resources: [
      {
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: [{ name, value }],
      },
    ],
  });

async function records(context, admin, topic) {
  await fill(client, context, topic, 0, 0, 50);
  const remove = (offset) =>
    admin.deleteTopicRecords({
      topic,
      partitions: [{ partition: 0, offset: String(offset) }],
    });
  await remove(30);
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
  const member = await client.reader(context, { topic, group });
  await member.take(20);
  await member.commit(member.positions());
  check(await listed(), "the group is not listed");
  await refused(
    "NON_EMPTY_GROUP",
    () => admin.deleteGroups([group]),
    "deleting a living group",
  );
  await member.close();
  const committed = async () =>
    (await client.committed(context, group, topic, 0)).offset;
  equal(await committed(), 50, "committed offset");
  await admin.setOffsets({
    groupId: group,
    topic,
    partitions: [{ partition: 0, offset: "35" }],
  });
  equal(await committed(), 35, "moved offset");
  await admin.deleteGroups([group]);
  check(!(await listed()), "the group is still there");
  await refused(
    "GROUP_ID_NOT_FOUND",
    () => admin.deleteGroups([group]),
    "deleting a group that is not there",
  );
}
