// What the shared scenarios need of a client, in kafkajs's words.
import kafkajs from "kafkajs";
import { BatchReader, grouped } from "../node/batches.js";
import { eventually } from "../node/harness.js";
import { CODECS } from "./codecs.js";

const { Kafka, logLevel, Partitioners } = kafkajs;

export const codecs = Object.keys(CODECS);

// Headers are an object of kafkajs's: equal names come together, in the order of the first.
export const duplicateHeaders = [
  ["same", Buffer.from("first")],
  ["same", Buffer.from("second")],
  ["other", Buffer.from("x")],
];
// A null header makes it throw a TypeError.
export const nullHeaders = [];
// Where there is nothing at or after a time, it answers with the end.
export const offsetAfterAll = undefined;
export const tellsCommitErrors = true;
// It says nothing of records for a partition that is not there.
export const wrongPartition = "dropped";
export const heedsLogAppendTime = true;
export const keepsMetadata = true;

const connection = (context, patient) =>
  new Kafka({
    brokers: [context.bootstrap],
    clientId: "compat",
    logLevel: logLevel.ERROR,
    retry: patient
      ? { initialRetryTime: 50, maxRetryTime: 300, retries: 400 }
      : { initialRetryTime: 50, maxRetryTime: 1000, retries: 6 },
  });

/** The protocol's name of what went wrong, however deep it is wrapped. */
export function errorName(error) {
  const { cause, errors, groups, partitions } = error;
  for (const list of [[cause], errors, groups, partitions]) {
    if (list?.[0] && list[0] !== error) {
      return errorName(list[0].error ?? list[0]);
    }
  }
  return error.type ?? error.name;
}

export const isFinal = (error) => error.retriable === false;

/** Do something with an administrator of one's own. */
export async function administrate(context, action) {
  const admin = connection(context).admin();
  await admin.connect();
  try {
    return await action(admin);
  } finally {
    await admin.disconnect();
  }
}

export async function createTopic(
  context,
  { suffix, partitions = 1, configs = {} } = {},
) {
  const topic = context.name(suffix);
  const configEntries = Object.entries(configs).map(([name, value]) => ({
    name,
    value,
  }));
  const asked = { topic, numPartitions: partitions, configEntries };
  await administrate(context, (admin) =>
    admin.createTopics({ topics: [asked], waitForLeaders: false }),
  );
  await served(context, topic);
  return topic;
}

/** Apache Kafka answers before a new topic's partitions, and its first group, are served. */
export async function served(context, topic) {
  if (context.kind === "kafka") {
    const asked = () =>
      Promise.all([bounds(context, topic), describeGroup(context, topic)]).then(
        () => true,
        () => false,
      );
    await eventually(asked, `${topic} is served`, 60);
  }
}

export const deleteTopic = (context, topic) =>
  administrate(context, (admin) => admin.deleteTopics({ topics: [topic] }));

export const topics = (context) =>
  administrate(context, (admin) => admin.listTopics());

/** First and end offset of each partition. */
export const bounds = (context, topic) =>
  administrate(context, async (admin) =>
    (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({
      partition,
      low: Number(low),
      high: Number(high),
    })),
  );

export const offsetAt = (context, topic, partition, timestamp) =>
  administrate(context, async (admin) => {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp);
    return Number(found.find((each) => each.partition === partition).offset);
  });

export const describeGroup = (context, group) =>
  administrate(context, async (admin) => {
    const [{ state, members }] = (await admin.describeGroups([group])).groups;
    return { state, members: members.length };
  });

export const committed = (context, groupId, topic, partition) =>
  administrate(context, async (admin) => {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const { offset, metadata } = found.partitions[partition];
    return offset === "-1" ? null : { offset: Number(offset), metadata };
  });

export async function producer(
  context,
  { acks = -1, codec = "none", idempotent, autoCreate = true, patient } = {},
) {
  const inner = connection(context, patient).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: autoCreate,
    idempotent,
  });
  await inner.connect();
  return {
    async send(topic, records) {
      const messages = records.map(({ headers, timestamp, ...others }) => ({
        ...others,
        headers: headers && grouped(headers),
        timestamp: timestamp && String(timestamp),
      }));
      const compression = CODECS[codec];
      const placed = await inner.send({ topic, messages, acks, compression });
      return placed.map(({ partition, baseOffset }) => ({
        partition,
        offset: Number(baseOffset),
      }));
    },
    close: () => inner.disconnect(),
  };
}

export async function beginTransaction(context, transactionalId) {
  const inner = connection(context).producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  try {
    await inner.connect();
    await inner.transaction();
  } finally {
    await inner.disconnect();
  }
}

/** A member of a group: kafkajs has no other way to consume. */
export async function reader(context, settings) {
  const { topic, group, from = "beginning", patient, maxBytes } = settings;
  const inner = connection(context, patient).consumer({
    groupId: group,
    sessionTimeout: settings.sessionTimeout,
    heartbeatInterval: settings.heartbeatInterval,
    maxWaitTimeInMs: 200,
    maxBytes,
    maxBytesPerPartition: maxBytes,
  });
  const found = new BatchReader(inner, topic);
  inner.on(inner.events.GROUP_JOIN, ({ payload }) =>
    settings.onAssigned?.(payload.memberAssignment[topic] ?? []),
  );
  inner.on(inner.events.CRASH, ({ payload }) => {
    if (!payload.restart) {
      settings.onError?.(payload.error);
    }
  });
  await inner.connect();
  await inner.subscribe({ topics: [topic], fromBeginning: from !== "end" });
  // Its place is known once it has fetched.
  const fetched = new Promise((resolve) => {
    inner.on(inner.events.FETCH, resolve);
  });
  await inner.run({
    autoCommit: settings.autoCommit ?? false,
    autoCommitInterval: 200,
    eachBatchAutoResolve: false,
    eachBatch: (payload) => found.hand(payload),
  });
  await fetched;
  return found;
}
