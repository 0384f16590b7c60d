// What the shared scenarios need of a client, in the words of
// confluent-kafka-javascript's promises, which are kafkajs's.
import confluent from "@confluentinc/kafka-javascript";
import { BatchReader, grouped } from "../node/batches.js";
import { eventually } from "../node/harness.js";

const { Kafka, ErrorCodes } = confluent.KafkaJS;

// zstd is built in only where its headers are installed.
export const codecs = ["none", "gzip", "snappy", "lz4", "zstd"].filter(
  (codec) => codec === "none" || confluent.features.includes(codec),
);

// Headers are an object: equal names come together, in the order of the first.
export const duplicateHeaders = [
  ["same", Buffer.from("first")],
  ["same", Buffer.from("second")],
  ["other", Buffer.from("x")],
];
export const nullHeaders = [];
// Where there is nothing at or after a time, it answers with the end.
export const offsetAfterAll = undefined;
export const wrongPartition = "refused";
// Commits succeed even when single partitions of them do not.
export const tellsCommitErrors = false;
// Empty keys and values come back as null.
export const emptyBecomesNull = true;
export const staysWhenClosed = true;
export const fencedError = "_FATAL";
export const heedsLogAppendTime = true;
export const keepsMetadata = true;

const TIMEOUT_MS = 30_000;

const silent = {
  info() {},
  warn() {},
  debug() {},
  error: (text) => console.error(text),
  setLogLevel() {},
  namespace: () => silent,
};

const connection = (context) =>
  new Kafka({
    kafkaJS: { brokers: [context.bootstrap], logger: silent },
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
  });

const NAMES = {
  [ErrorCodes.ERR__UNKNOWN_TOPIC]: "UNKNOWN_TOPIC_OR_PARTITION",
  [ErrorCodes.ERR_UNKNOWN_TOPIC_OR_PART]: "UNKNOWN_TOPIC_OR_PARTITION",
  [ErrorCodes.ERR_MSG_SIZE_TOO_LARGE]: "MESSAGE_TOO_LARGE",
  [ErrorCodes.ERR_TOPIC_EXCEPTION]: "INVALID_TOPIC_EXCEPTION",
};

/** The protocol's name of what went wrong, however deep it is wrapped. */
export function errorName(error) {
  const { errors, groups, partitions } = error;
  const inner = (errors ?? groups ?? partitions)?.[0];
  if (inner) {
    return errorName(inner.error ?? inner);
  }
  const name = Object.keys(ErrorCodes).find(
    (each) => ErrorCodes[each] === error.code,
  );
  return NAMES[error.code] ?? name?.replace(/^ERR_/, "") ?? error.name;
}

export const isFinal = (error) => error.retriable !== true;

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
    admin.createTopics({ topics: [asked], timeout: TIMEOUT_MS }),
  );
  await served(context, topic);
  return topic;
}

/** Apache Kafka answers before a new topic's partitions are served. */
export async function served(context, topic) {
  if (context.kind === "kafka") {
    const asked = () =>
      bounds(context, topic).then(
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

const STATES = Object.entries(confluent.KafkaJS.ConsumerGroupStates);

export const describeGroup = (context, group) =>
  administrate(context, async (admin) => {
    const [{ state, members }] = (await admin.describeGroups([group])).groups;
    const [name] = STATES.find(([, value]) => value === state);
    return {
      state: name[0] + name.slice(1).toLowerCase(),
      members: members.length,
    };
  });

export const committed = (context, groupId, topic, partition) =>
  administrate(context, async (admin) => {
    const topics = [{ topic, partitions: [partition] }];
    const [found] = await admin.fetchOffsets({ groupId, topics });
    const [{ offset, metadata }] = found.partitions;
    return Number(offset) < 0 ? null : { offset: Number(offset), metadata };
  });

export async function producer(
  context,
  {
    acks = -1,
    codec = "none",
    idempotent = false,
    autoCreate = true,
    patient,
  } = {},
) {
  const inner = connection(context).producer({
    kafkaJS: {
      acks,
      compression: codec,
      idempotent,
      allowAutoTopicCreation: autoCreate,
      ...(patient && { retry: { retries: 1_000_000 } }),
    },
    "message.max.bytes": 10_000_000,
    "topic.metadata.propagation.max.ms": 1000,
  });
  await inner.connect();
  return {
    async send(topic, records) {
      const messages = records.map(({ headers, ...others }) => ({
        ...others,
        headers: headers && grouped(headers),
      }));
      const placed = await inner.send({ topic, messages });
      return placed.map(({ partition, baseOffset }) => ({
        partition,
        offset: Number(baseOffset),
      }));
    },
    close: () => inner.disconnect(),
  };
}

export async function beginTransaction(context, transactionalId) {
  const inner = connection(context).producer({ kafkaJS: { transactionalId } });
  try {
    await inner.connect();
    await inner.transaction();
  } finally {
    await inner.disconnect();
  }
}

/** A member of a group, once it has been given its first partitions. */
export async function reader(context, settings) {
  const { topic, group, from, autoCommit = false, maxBytes } = settings;
  const owned = new Set();
  let place;
  const placed = new Promise((resolve) => (place = resolve));
  const inner = connection(context).consumer({
    kafkaJS: {
      groupId: group,
      fromBeginning: from !== "end",
      autoCommit,
      autoCommitInterval: 200,
      sessionTimeout: settings.sessionTimeout ?? 30_000,
      heartbeatInterval: settings.heartbeatInterval ?? 1000,
      logger: {
        ...silent,
        error: (text) => notice(text, settings.onError),
      },
      ...(settings.cooperative && {
        partitionAssigners: ["cooperative-sticky"],
      }),
    },
    ...(settings.instance && { "group.instance.id": settings.instance }),
    ...(maxBytes && {
      "fetch.message.max.bytes": maxBytes,
      "fetch.max.bytes": maxBytes,
      "message.max.bytes": maxBytes,
    }),
    rebalance_cb: ({ code }, partitions) => {
      const gained = code === ErrorCodes.ERR__ASSIGN_PARTITIONS;
      for (const { partition } of partitions) {
        gained ? owned.add(partition) : owned.delete(partition);
      }
      settings.onAssigned?.([...owned].sort());
      if (gained) {
        place();
      }
    },
  });
  const found = new BatchReader(inner, topic);
  await inner.connect();
  await inner.subscribe({ topics: [topic] });
  await inner.run({
    eachBatchAutoResolve: false,
    eachBatch: (payload) => found.hand(payload),
  });
  await placed;
  // It is told before it is so.
  await eventually(() => inner.assignment().length > 0, "partitions are read");
  return found;
}

/** What is final is told to the log, again and again, and to nobody else. */
function notice(text, onError) {
  console.error(text);
  if (text.includes("Local: Fatal error")) {
    onError?.({ code: ErrorCodes.ERR__FATAL });
  }
}
