import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.time.Duration;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Groups: members that come, go and die; commits and what they are for. */
final class Groups {
    private static final int PARTITIONS = 6;

    private Groups() {}

    static void register(Map<String, Program.Scenario> scenarios) {
        scenarios.put("group_of_three", Groups::groupOfThree);
        scenarios.put("static_member", Groups::staticMember);
        scenarios.put("cooperative", Groups::cooperative);
        scenarios.put("commit_sync", Groups::commitSync);
        scenarios.put("commit_async", Groups::commitAsync);
        scenarios.put("commit_auto", Groups::commitAuto);
    }

    /** What is done with members; they are killed when it ends badly. */
    private interface Story {
        void tell(List<Member> members) throws Exception;
    }

    private static void withMembers(Story story) throws Exception {
        List<Member> members = new ArrayList<>();
        try {
            story.tell(members);
        } finally {
            for (Member member : members) {
                member.kill();
            }
        }
    }

    private static void groupOfThree(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), PARTITIONS);
        withMembers(members -> {
            for (int count = 0; count < 3; count++) {
                members.add(new Member(context, context.group(), topic));
            }
            Member.settled(members, PARTITIONS);
            spread(context, topic, 0, 300);
            allReadOnce(members, 300);
            var description = describe(context);
            Kit.equal(GroupCalls.state(description), "STABLE", "state");
            Kit.equal(description.members().size(), 3, "members");
            members.get(0).leave();
            Member.settled(members.subList(1, 3), PARTITIONS);
            members.get(1).kill();
            Member.settled(members.subList(2, 3), PARTITIONS);
            int before = members.get(2).values().size();
            spread(context, topic, 300, 360);
            Kit.eventually(() -> members.get(2).values().size() >= before + 60, "the last member reads all", 20);
            members.get(2).leave();
            Kit.eventually(() -> GroupCalls.state(describe(context)).equals("EMPTY"), "the group is empty", 20);
        });
    }

    private static void staticMember(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 4);
        withMembers(members -> {
            // Long enough that the session does not end while the member is away.
            String[] first = {"group.instance.id", "first", "session.timeout.ms", "45000"};
            String[] second = {"group.instance.id", "second", "session.timeout.ms", "45000"};
            members.add(new Member(context, context.group(), topic, first));
            members.add(new Member(context, context.group(), topic, second));
            Member.settled(members, 4);
            Set<Integer> share = members.get(0).assigned();
            int rebalances = members.get(1).rebalances();
            members.get(0).leave(); // A static member does not say that it leaves.
            var returned = new Member(context, context.group(), topic, first);
            members.add(returned);
            Kit.eventually(() -> returned.assigned().equals(share), "the member has its partitions back", 40);
            Kit.equal(members.get(1).rebalances(), rebalances, "rebalances seen by the other member");
            var twin = new Member(context, context.group(), topic, first);
            members.add(twin);
            Kit.eventually(() -> returned.error().equals("fenced"), "the older of two doubles is fenced", 20);
            Kit.eventually(() -> twin.assigned().equals(share), "the younger one has the partitions", 20);
        });
    }

    private static void cooperative(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), PARTITIONS);
        String[] strategy = {
            "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
        };
        withMembers(members -> {
            members.add(new Member(context, context.group(), topic, strategy));
            Member.settled(members, PARTITIONS);
            members.add(new Member(context, context.group(), topic, strategy));
            Member.settled(members, PARTITIONS);
            spread(context, topic, 0, 120);
            allReadOnce(members, 120);
            members.get(1).leave();
            Member.settled(members.subList(0, 1), PARTITIONS);
        });
    }

    private static void commitSync(Context context) throws Exception {
        var partition = resumed(context, KafkaConsumer::commitSync);
        try (var consumer = Kit.consumer(context, context.group())) {
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(7, "a note")));
            var found = consumer.committed(Set.of(partition)).get(partition);
            Kit.equal(List.of(found.offset(), found.metadata()), List.of(7L, "a note"), "a commit by hand");
        }
        try (var fresh = Kit.consumer(context, context.group("fresh"))) {
            Kit.equal(fresh.committed(Set.of(partition)).get(partition), null, "a group without commits");
        }
    }

    private static void commitAsync(Context context) throws Exception {
        resumed(context, consumer -> {
            var answered = new CompletableFuture<Exception>();
            consumer.commitAsync((offsets, error) -> answered.complete(error));
            Kit.eventually(
                () -> {
                    consumer.poll(Duration.ofMillis(20));
                    return answered.isDone();
                },
                "the commit is answered",
                10);
            Kit.equal(answered.get(1, TimeUnit.SECONDS), null, "error of the commit");
        });
    }

    private static void commitAuto(Context context) throws Exception {
        // Closing commits what was consumed.
        resumed(context, consumer -> { }, "enable.auto.commit", true, "auto.commit.interval.ms", 200);
    }

    private interface Committing {
        void commit(KafkaConsumer<String, String> consumer) throws Exception;
    }

    /** Read 40 of 100, commit, come back, and go on at 40. */
    private static TopicPartition resumed(Context context, Committing committing, Object... pairs) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 1);
        Kit.fill(context, topic, 0, 0, 100);
        List<Object> settings = new ArrayList<>(List.of("max.poll.records", 40));
        settings.addAll(List.of(pairs));
        try (var consumer = Kit.consumer(context, context.group(), settings.toArray())) {
            consumer.subscribe(List.of(topic));
            Kit.equal(Kit.offsets(Kit.poll(consumer, 40)), Kit.range(0, 40), "first reading");
            consumer.pause(consumer.assignment());
            committing.commit(consumer);
        }
        try (var consumer = Kit.consumer(context, context.group(), pairs)) {
            consumer.subscribe(List.of(topic));
            Kit.equal(Kit.offsets(Kit.poll(consumer, 60)), Kit.range(40, 100), "second reading");
        }
        return new TopicPartition(topic, 0);
    }

    private static void spread(Context context, String topic, int from, int to) throws Exception {
        Kit.send(
            context,
            IntStream.range(from, to).mapToObj(n -> Kit.record(topic, n % PARTITIONS, "" + n)).toList());
    }

    private static void allReadOnce(List<Member> members, int count) throws Exception {
        Kit.eventually(
            () -> members.stream().mapToInt(member -> member.values().size()).sum() >= count,
            count + " records are read",
            20);
        Kit.equal(
            members.stream().flatMap(member -> member.values().stream()).map(Integer::valueOf).sorted().toList(),
            IntStream.range(0, count).boxed().toList(),
            "records read by all members together");
    }

    private static ConsumerGroupDescription describe(Context context) throws Exception {
        try (var admin = Kit.admin(context)) {
            return Kit.get(admin.describeConsumerGroups(List.of(context.group())).all()).get(context.group());
        }
    }
}
