// Groups: members that come, go and die; commits and what they are for.
import { setTimeout as sleep } from "node:timers/promises";
import { check, equal, eventually, numbers } from "./harness.js";
import { Member, settled } from "./member.js";
import { fill, record, send } from "./reader.js";

const PARTITIONS = 6;

export const groups = (client) => ({
  group_of_three: (context) => groupOfThree(client, context),
  static_member: (context) => staticMember(client, context),
  cooperative: (context) => cooperative(client, context),
  commit_sync: (context) => commitSync(client, context),
  commit_async: (context) => commitAsync(client, context),
  commit_auto: (context) => commitAuto(client, context),
});

/** What is done with members; they are killed when it is over. */
async function withMembers(context, topic, story) {
  const members = [];
  const join = (settings = {}) => {
    const group = context.name();
    members.push(new Member(context, { group, topic, ...settings }));
    return members.at(-1);
  };
  try {
    await story(join);
  } finally {
    await Promise.all(members.map((member) => member.kill()));
  }
}

async function groupOfThree(client, context) {
  const topic = await client.createTopic(context, { partitions: PARTITIONS });
  await withMembers(context, topic, async (join) => {
    const [first, second, third] = [join(), join(), join()];
    await settled([first, second, third], PARTITIONS);
    await sleep(client.lingers ?? 0);
    await spread(client, context, topic, 0, 300);
    await allReadOnce([first, second, third], 300);
    equal(
      await client.describeGroup(context, context.name()),
      { state: "Stable", members: 3 },
      "the group",
    );
    await first.leave();
    await settled([second, third], PARTITIONS);
    await second.kill();
    await settled([third], PARTITIONS);
    const before = third.values.length;
    await spread(client, context, topic, 300, 360);
    await eventually(
      () => third.values.length >= before + 60,
      "the last member reads all",
    );
    await third.leave();
    await eventually(
      async () =>
        (await client.describeGroup(context, context.name())).state === "Empty",
      "the group is empty",
    );
  });
}

async function staticMember(client, context) {
  const topic = await client.createTopic(context, { partitions: 4 });
  await withMembers(context, topic, async (join) => {
    // Long enough that the session does not end while the member is away.
    const named = (instance) => join({ instance, sessionTimeout: 20_000 });
    const [first, second] = [named("first"), named("second")];
    await settled([first, second], 4);
    const share = first.assigned;
    const rebalances = second.rebalances;
    // A static member does not say that it leaves.
    await (client.staysWhenClosed ? first.leave() : first.kill());
    const returned = named("first");
    const has = (member) => () =>
      JSON.stringify(member.assigned) === JSON.stringify(share);
    await eventually(has(returned), "the member has its partitions back");
    equal(second.rebalances, rebalances, "rebalances seen by the other member");
    // Others join again, and fence their double.
    if (client.fencedError) {
      const double = named("first");
      await eventually(
        () => returned.error === client.fencedError,
        "the older of two doubles is fenced",
      );
      await eventually(has(double), "the younger one has the partitions");
    }
  });
}

async function cooperative(client, context) {
  const topic = await client.createTopic(context, { partitions: PARTITIONS });
  await withMembers(context, topic, async (join) => {
    const first = join({ cooperative: true });
    await settled([first], PARTITIONS);
    const everything = first.assigned;
    const second = join({ cooperative: true });
    await settled([first, second], PARTITIONS);
    check(
      first.assigned.every((partition) => everything.includes(partition)),
      "the first member did not simply give some away",
    );
    await sleep(client.lingers ?? 0);
    await spread(client, context, topic, 0, 120);
    await allReadOnce([first, second], 120);
    await second.leave();
    await settled([first], PARTITIONS);
  });
}

async function commitSync(client, context) {
  const topic = await resumed(client, context, async (reader) => {
    await reader.commit(reader.positions());
  });
  const group = context.name();
  const note = { topic, partition: 0, offset: 7, metadata: "a note" };
  const reader = await client.reader(context, { topic, group });
  await reader.commit([note]);
  await reader.close();
  equal(
    await client.committed(context, group, topic, 0),
    { offset: 7, metadata: client.keepsMetadata ? "a note" : "" },
    "a commit by hand",
  );
  equal(
    await client.committed(context, context.name("fresh"), topic, 0),
    null,
    "a group without commits",
  );
}

async function commitAsync(client, context) {
  await resumed(client, context, async (reader) => {
    let answered = false;
    const commit = reader
      .commit(reader.positions())
      .then(() => (answered = true));
    check(!answered, "the commit was answered at once");
    await eventually(() => answered, "the commit is answered", 10);
    await commit;
  });
}

async function commitAuto(client, context) {
  // Closing commits what was consumed.
  await resumed(client, context, async () => {}, { autoCommit: true });
}

/** Read some, commit, come back, and go on there. */
async function resumed(client, context, commit, settings = {}) {
  const topic = await client.createTopic(context);
  // Who commits ahead of its readers must not fetch more than is read.
  const ahead = settings.autoCommit && client.commitsAhead;
  await fill(client, context, topic, 0, 0, ahead ? 40 : 100);
  const group = context.name();
  for (const [from, to] of [
    [0, 40],
    [40, 100],
  ]) {
    const reader = await client.reader(context, { topic, group, ...settings });
    const found = await reader.take(to - from);
    equal(
      found.map(({ offset }) => offset),
      numbers(from, to),
      `reading from ${from}`,
    );
    if (from === 0) {
      await commit(reader);
    }
    await reader.close();
    if (from === 0 && ahead) {
      await fill(client, context, topic, 0, 40, 100);
    }
  }
  return topic;
}

const spread = (client, context, topic, from, to) =>
  send(
    client,
    context,
    topic,
    numbers(from, to).map((number) => record(number % PARTITIONS, number)),
  );

async function allReadOnce(members, count) {
  const found = () => members.flatMap((member) => member.values).map(Number);
  await eventually(() => found().length >= count, `${count} records are read`);
  equal(
    found().sort((one, other) => one - other),
    numbers(0, count),
    "records read by all members together",
  );
}
