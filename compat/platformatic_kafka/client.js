// What the shared scenarios need of a client, in @platformatic/kafka's words.
import { Admin, Consumer, Producer } from "@platformatic/kafka";
import { check, eventually } from "../node/harness.js";
import { Reader } from "../node/reader.js";

export const codecs = ["none", "gzip", "snappy", "lz4", "zstd"];

export const duplicateHeaders = [
  ["same", Buffer.from("first")],
  ["other", Buffer.from("x")],
  ["same", Buffer.from("second")],
];
export const nullHeaders = [["null", null]];
export const offsetAfterAll = -1;
export const tellsCommitErrors = true;
// A partition that is not there is taken modulo the number of those that are.
export const wrongPartition = "wrapped";
// What was being fetched before a rebalance still comes after it.
export const lingers = 1000;
// It adds up a record's own time, whatever the batch says.
export const heedsLogAppendTime = false;
// Its commits carry no metadata.
export const keepsMetadata = false;
// It commits what it has fetched, not what somebody has read.
export const commitsAhead = true;

const connection = (context, patient) => ({
  clientId: "compat",
  bootstrapBrokers: [context.bootstrap],
  autocreateTopics: true,
  ...(patient
    ? { retries: 1000, retryDelay: 100 }
    : { retries: 10, retryDelay: 200 }),
});

/** The protocol's name of what went wrong, however deep it is wrapped. */
export function errorName(error) {
  if (error.apiId) {
    return error.apiId;
  }
  if (error.message.startsWith("Unknown topic")) {
    return "UNKNOWN_TOPIC_OR_PARTITION";
  }
  const inner = error.errors?.[0] ?? error.cause;
  return inner ? errorName(inner) : (error.code ?? error.name);
}

export function isFinal(error) {
  const inner = error.errors?.[0] ?? error.cause;
  return inner ? isFinal(inner) : error.canRetry !== true;
}

/** Do something with a client of one's own, and close it. */
async function using(client, action) {
  try {
    return await action(client);
  } finally {
    await client.close();
  }
}

export const administrate = (context, action) =>
  using(new Admin(connection(context)), action);

export async function createTopic(
  context,
  { suffix, partitions = 1, configs = {} } = {},
) {
  const topic = context.name(suffix);
  await administrate(context, async (admin) => {
    await admin.createTopics({
      topics: [topic],
      partitions,
      replicas: 1,
      configs: Object.entries(configs).map(([name, value]) => ({
        name,
        value,
      })),
    });
  });
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

const EARLIEST = -2n;
const LATEST = -1n;

/** First and end offset of each partition. */
export const bounds = (context, topic) =>
  using(consumer(context, "bounds"), async (inner) => {
    const at = async (timestamp) =>
      (await inner.listOffsets({ topics: [topic], timestamp })).get(topic);
    const [low, high] = [await at(EARLIEST), await at(LATEST)];
    return low.map((offset, partition) => ({
      partition,
      low: Number(offset),
      high: Number(high[partition]),
    }));
  });

export const offsetAt = (context, topic, partition, timestamp) =>
  administrate(context, async (admin) => {
    const asked = [{ partitionIndex: partition, timestamp: BigInt(timestamp) }];
    const [found] = await admin.listOffsets({
      topics: [{ name: topic, partitions: asked }],
    });
    return Number(found.partitions[0].offset);
  });

export const describeGroup = (context, group) =>
  administrate(context, async (admin) => {
    const found = await admin.describeGroups({ groups: [group] });
    const { state, members } = found.get(group);
    return { state, members: members.size };
  });

export const committed = (context, group, topic, partition) =>
  administrate(context, async (admin) => {
    const topics = [{ name: topic, partitionIndexes: [partition] }];
    const [found] = await admin.listConsumerGroupOffsets({
      groups: [{ groupId: group, topics }],
    });
    const [{ committedOffset, metadata }] = found.topics[0].partitions;
    return committedOffset === -1n
      ? null
      : { offset: Number(committedOffset), metadata };
  });

export async function producer(
  context,
  { acks, codec = "none", idempotent = false, autoCreate = true, patient } = {},
) {
  const inner = new Producer({ ...connection(context, patient), idempotent });
  return {
    async send(topic, records) {
      const messages = records.map(({ headers, timestamp, ...others }) => ({
        ...others,
        topic,
        headers: headers && keyed(headers),
        timestamp: timestamp && BigInt(timestamp),
      }));
      const { offsets = [] } = await inner.send({
        messages,
        acks: acks ?? -1,
        compression: codec,
        autocreateTopics: autoCreate,
      });
      return offsets.map(({ partition, offset }) => ({
        partition,
        offset: Number(offset),
      }));
    },
    close: () => inner.close(),
  };
}

/** Buffers are keys of their own, so that equal names can stand in one map. */
const keyed = (pairs) =>
  new Map(pairs.map(([name, value]) => [Buffer.from(name), value]));

export const beginTransaction = (context, transactionalId) =>
  using(
    new Producer({ ...connection(context), transactionalId, idempotent: true }),
    (inner) => inner.beginTransaction(),
  );

export const consumer = (context, groupId, { patient, ...others } = {}) =>
  new Consumer({
    ...connection(context, patient),
    groupId,
    maxWaitTime: 200,
    ...others,
  });

/** A member of a group, reading its stream. */
export async function reader(context, settings) {
  const { topic, group, from, cooperative, maxBytes, ...others } = settings;
  const inner = consumer(context, group, {
    patient: others.patient,
    sessionTimeout: others.sessionTimeout ?? 30_000,
    heartbeatInterval: others.heartbeatInterval ?? 1000,
    ...(others.instance && { groupInstanceId: others.instance }),
    ...(cooperative && {
      protocols: [{ name: "cooperative-sticky", version: 3 }],
    }),
  });
  inner.on("consumer:group:join", ({ assignments }) =>
    others.onAssigned?.(
      assignments?.find((each) => each.topic === topic)?.partitions ?? [],
    ),
  );
  inner.on("consumer:heartbeat:error", ({ error }) => others.onError?.(error));
  const found = new StreamReader(inner, others.onError);
  await found.open({
    topics: [topic],
    mode: "committed",
    fallbackMode: from === "end" ? "latest" : "earliest",
    autocommit: others.autoCommit ? 100 : false,
    ...(maxBytes && { maxBytes, maxBytesPerPartition: maxBytes }),
  });
  return found;
}

export class StreamReader extends Reader {
  #inner;
  #onError;
  #options;
  #stream;

  constructor(inner, onError) {
    super();
    this.#inner = inner;
    this.#onError = onError;
  }

  async open(options) {
    this.#options = options;
    this.#stream = await this.#inner.consume(options);
    this.#stream.on("error", (error) => this.#onError?.(error));
    this.#hand(this.#stream);
  }

  async #hand(stream) {
    try {
      // Closing is not the iterator's business: it would call it an error.
      const messages = stream.iterator({ destroyOnReturn: false });
      for await (const message of messages) {
        const { topic, partition } = message;
        const record = {
          topic,
          partition,
          key: message.key ?? null,
          value: message.value ?? null,
          offset: Number(message.offset),
          timestamp: Number(message.timestamp),
          headers: message.headerEntries.map(([name, value]) => [
            name.toString(),
            value ?? null,
          ]),
        };
        if (stream !== this.#stream || !(await this.offer(record))) {
          return;
        }
      }
    } catch (error) {
      console.error(error);
    }
  }

  /** It can not seek: another stream begins there. */
  async seek(partition, offset) {
    check(partition === 0, "a stream begins in one partition");
    await this.#leave();
    const [topic] = this.#options.topics;
    await this.open({
      ...this.#options,
      mode: "manual",
      offsets: [{ topic, partition, offset: BigInt(offset) }],
    });
  }

  commit(positions) {
    return this.#inner.commit({
      offsets: positions.map(({ topic, partition, offset }) => ({
        topic,
        partition,
        offset: BigInt(offset),
        leaderEpoch: 0,
      })),
    });
  }

  async #leave() {
    const stream = this.#stream;
    this.#stream = null;
    this.drop();
    await stream.close();
  }

  /** The stream first: a consumer that is being closed commits no more. */
  async close() {
    this.refuse();
    await this.#leave();
    await this.#inner.close();
  }
}
