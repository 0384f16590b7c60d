// Administration: topics, partitions, configs, records, groups, cluster.
import {
  ConfigResourceTypes,
  ConfigSources,
  IncrementalAlterConfigOperationTypes as Operations,
} from "@platformatic/kafka";
import { check, equal, eventually, failure, numbers } from "../node/harness.js";
import { fill, read, send } from "../node/reader.js";
import * as client from "./client.js";

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
  const create = (name, options) =>
    admin.createTopics({ topics: [name], ...options });
  const configured = (name, value) => ({ configs: [{ name, value }] });
  const asked = { partitions: 3, ...configured("retention.ms", "3600000") };
  const [created] = await create(topic, asked);
  equal(created.partitions, 3, "partitions in the answer");
  equal(created.replicas, 1, "replicas in the answer");
  equal(
    created.configuration["retention.ms"],
    "3600000",
    "config in the answer",
  );
  await client.served(context, topic);
  for (const partition of numbers(0, 3)) {
    await fill(client, context, topic, partition, 0, 1);
  }
  const metadata = await admin.metadata({ topics: [topic] });
  equal(metadata.topics.get(topic).id, created.id, "topic id");

  const refusals = [
    ["TOPIC_ALREADY_EXISTS", topic, {}],
    ["INVALID_TOPIC_EXCEPTION", "not a name", {}],
    ["INVALID_PARTITIONS", context.name("p"), { partitions: 0 }],
    ["INVALID_REPLICATION_FACTOR", context.name("rf"), { replicas: 5 }],
    ["INVALID_CONFIG", context.name("c"), configured("retention.ms", "soon")],
    ["INVALID_CONFIG", context.name("u"), configured("no.such.config", "1")],
  ];
  for (const [error, name, options] of refusals) {
    await refused(error, () => create(name, options), `creating ${name}`);
  }
  const [defaults] = await create(context.name("defaults"));
  equal(defaults.partitions, 1, "default partitions");
}

async function administration(context, admin) {
  const topic = await client.createTopic(context, { partitions: 2 });
  await cluster(admin, topic);
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

async function cluster(admin, topic) {
  const metadata = await admin.metadata({ topics: [topic] });
  check(metadata.id, "no cluster id");
  equal([...metadata.brokers.keys()], [1], "nodes");
  equal(metadata.controllerId, 1, "controller");
  const [broker] = await admin.describeLogDirs({
    topics: [{ name: topic, partitions: [0, 1] }],
  });
  const replicas = broker.results.flatMap((each) => each.topics);
  equal(
    replicas.map(({ name }) => name),
    [topic],
    "topics in the log directories",
  );
}

async function partitions(admin, topic) {
  const increase = (count) =>
    admin.createPartitions({ topics: [{ name: topic, count }] });
  await increase(5);
  const described = async () =>
    (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(
      topic,
    ).partitions;
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
  equal(before.value, "1048588", "the default");
  equal(before.configSource, ConfigSources.DEFAULT_CONFIG, "its source");
  await alter(admin, topic, name, Operations.SET, "2000");
  await becomes(admin, topic, name, "2000");
  equal(
    (await config(admin, topic, name)).configSource,
    ConfigSources.DYNAMIC_TOPIC_CONFIG,
    "its new source",
  );
  const large = { partition: 0, value: Buffer.alloc(3000) };
  await refused(
    "MESSAGE_TOO_LARGE",
    () => send(client, context, topic, [large]),
    "the new limit",
  );
  await alter(admin, topic, name, Operations.DELETE);
  await becomes(admin, topic, name, "1048588");
  await alter(admin, topic, "cleanup.policy", Operations.APPEND, "compact");
  await becomes(admin, topic, "cleanup.policy", "delete,compact");
  await alter(admin, topic, "cleanup.policy", Operations.SUBTRACT, "compact");
  await becomes(admin, topic, "cleanup.policy", "delete");
  await refused(
    "INVALID_CONFIG",
    () => alter(admin, topic, "retention.ms", Operations.SET, "soon"),
    "a bad value",
  );
  const { BROKER } = ConfigResourceTypes;
  const node = await configOf(admin, BROKER, "1", "node.id");
  equal(node.value, "1", "node.id of the broker");
  check(node.readOnly, "node.id can be altered");
}

/** Apache Kafka's broker learns of it after its controller has answered. */
const becomes = (admin, topic, name, value) =>
  eventually(
    async () => (await config(admin, topic, name)).value === value,
    `${name} becomes ${value}`,
    10,
  );

const config = (admin, topic, name) =>
  configOf(admin, ConfigResourceTypes.TOPIC, topic, name);

async function configOf(admin, resourceType, resourceName, name) {
  const [{ configs }] = await admin.describeConfigs({
    resources: [{ resourceType, resourceName, configurationKeys: [name] }],
  });
  return configs.find((each) => each.name === name);
}

const alter = (admin, topic, name, configOperation, value) =>
  admin.incrementalAlterConfigs({
    resources: [
      {
        resourceType: ConfigResourceTypes.TOPIC,
        resourceName: topic,
        configs: [{ name, configOperation, ...(value && { value }) }],
      },
    ],
  });

async function records(context, admin, topic) {
  await fill(client, context, topic, 0, 0, 50);
  const remove = (offset) =>
    admin.deleteRecords({
      topics: [
        { name: topic, partitions: [{ partition: 0, offset: BigInt(offset) }] },
      ],
    });
  const [removed] = await remove(30);
  equal(removed.partitions[0].lowWatermark, 30n, "low watermark");
  equal(
    (await client.bounds(context, topic))[0],
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
  const listed = async () => (await admin.listGroups()).has(group);
  const remove = () => admin.deleteGroups({ groups: [group] });
  const member = await client.reader(context, { topic, group });
  await member.take(20);
  await member.commit(member.positions());
  check(await listed(), "the group is not listed");
  await refused("NON_EMPTY_GROUP", remove, "deleting a living group");
  await member.close();
  const committed = () => client.committed(context, group, topic, 0);
  equal((await committed()).offset, 50, "committed offset");
  await admin.alterConsumerGroupOffsets({
    groupId: group,
    topics: [
      { name: topic, partitionOffsets: [{ partition: 0, offset: 35n }] },
    ],
  });
  equal((await committed()).offset, 35, "moved offset");
  await admin.deleteConsumerGroupOffsets({
    groupId: group,
    topics: [{ name: topic, partitionIndexes: [0] }],
  });
  equal(await committed(), null, "deleted offset");
  await remove();
  check(!(await listed()), "the group is still there");
  await refused(
    "GROUP_ID_NOT_FOUND",
    remove,
    "deleting a group that is not there",
  );
}
