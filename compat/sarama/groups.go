package main

import (
	"context"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"kbroker/compat/golang/kit"
)

const groupPartitions = 6

var groupScenarios = []kit.Scenario{
	{Name: "group_of_three", Run: groupOfThree},
	{Name: "static_member", Run: staticMember},
	{Name: "cooperative", Run: cooperative},
	{Name: "commit_sync", Run: commitSync},
	{Name: "commit_auto", Run: commitAuto},
}

func groupOfThree(c *kit.Context) {
	topic := createTopic(c, c.Topic(), groupPartitions)
	settings := kit.MemberSettings{Bootstrap: c.Bootstrap, Group: c.Group(), Topic: topic}
	c.WithMembers(func(start func(kit.MemberSettings) *kit.Member) {
		first, second, third := start(settings), start(settings), start(settings)
		kit.Settled(groupPartitions, first, second, third)
		kit.Done(send(c, numbered(topic, groupPartitions, 0, 300)))
		kit.AllReadOnce(300, first, second, third)
		described := describe(c)
		kit.Equal(described.State, "Stable", "state")
		kit.Equal(len(described.Members), 3, "members")
		first.Leave()
		kit.Settled(groupPartitions, second, third)
		second.Kill()
		kit.Settled(groupPartitions, third)
		before := len(third.Values())
		kit.Done(send(c, numbered(topic, groupPartitions, 300, 360)))
		kit.Eventually(func() bool { return len(third.Values()) >= before+60 }, "the last member reads all", 20)
		third.Leave()
		kit.Eventually(func() bool { return describe(c).State == "Empty" }, "the group is empty", 20)
	})
}

func staticMember(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 4)
	first := kit.MemberSettings{Bootstrap: c.Bootstrap, Group: c.Group(), Topic: topic, Instance: "first"}
	second := first
	second.Instance = "second"
	c.WithMembers(func(start func(kit.MemberSettings) *kit.Member) {
		leaving, other := start(first), start(second)
		kit.Settled(4, leaving, other)
		share := leaving.Assigned()
		rebalances := len(other.Assignments())
		has := func(member *kit.Member) func() bool {
			return func() bool { return slices.Equal(member.Assigned(), share) }
		}
		leaving.Leave() // A static member does not say that it leaves.
		returned := start(first)
		kit.Eventually(has(returned), "the member has its partitions back", 15)
		kit.Equal(len(other.Assignments()), rebalances, "rebalances seen by the other member")
		twin := start(first)
		kit.Eventually(func() bool { return returned.Failure() == "fenced" }, "the older of two doubles is fenced", 20)
		kit.Eventually(has(twin), "the younger one has the partitions", 20)
	})
}

func cooperative(c *kit.Context) {
	topic := createTopic(c, c.Topic(), groupPartitions)
	settings := kit.MemberSettings{Bootstrap: c.Bootstrap, Group: c.Group(), Topic: topic, Strategy: "cooperative"}
	c.WithMembers(func(start func(kit.MemberSettings) *kit.Member) {
		first := start(settings)
		kit.Settled(groupPartitions, first)
		before := len(first.Assignments())
		second := start(settings)
		kit.Settled(groupPartitions, first, second)
		for _, owned := range first.Assignments()[before:] {
			kit.Check(len(owned) >= 3, "the first member had to give up all but %v", owned)
		}
		kit.Done(send(c, numbered(topic, groupPartitions, 0, 120)))
		kit.AllReadOnce(120, first, second)
		second.Leave()
		kit.Settled(groupPartitions, first)
	})
}

func manualCommit(config *sarama.Config) { config.Consumer.Offsets.AutoCommit.Enable = false }

func commitSync(c *kit.Context) {
	topic := resumed(c, func(session sarama.ConsumerGroupSession) { session.Commit() }, manualCommit)
	client := connected(c.Bootstrap)
	defer func() { kit.Done(client.Close()) }()
	manager := kit.Must(sarama.NewOffsetManagerFromClient(c.Group(), client))
	partition := kit.Must(manager.ManagePartition(topic, 0))
	partition.ResetOffset(7, "a note")
	kit.Done(partition.Close())
	kit.Done(manager.Close())
	withAdmin(c, func(admin sarama.ClusterAdmin) {
		found := committed(c, admin, c.Group(), topic)
		kit.Equal([]any{found.Offset, found.Metadata}, []any{int64(7), "a note"}, "a commit by hand")
		kit.Equal(committed(c, admin, c.Group("fresh"), topic).Offset, -1, "a group without commits")
	})
}

func commitAuto(c *kit.Context) {
	// The end of a session commits what was marked.
	resumed(c, func(sarama.ConsumerGroupSession) {}, func(config *sarama.Config) {
		config.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	})
}

// Read 40 of 100, commit, come back, and go on at 40.
func resumed(c *kit.Context, commit func(sarama.ConsumerGroupSession), options ...option) string {
	topic := createTopic(c, c.Topic(), 1)
	fill(c, topic, 0, 0, 100)
	first := readAsGroup(c, c.Group(), topic, 40, commit, options...)
	kit.Equal(offsets(first), kit.Range(0, 40), "first reading")
	second := readAsGroup(c, c.Group(), topic, 60, commit, options...)
	kit.Equal(offsets(second), kit.Range(40, 100), "second reading")
	return topic
}

// Reads exactly so many records as the only member of a group, and leaves it.
func readAsGroup(
	c *kit.Context, group, topic string, count int, at func(sarama.ConsumerGroupSession), options ...option,
) []*sarama.ConsumerMessage {
	consumer := kit.Must(sarama.NewConsumerGroup([]string{c.Bootstrap}, group, config(options...)))
	limited, cancel := context.WithTimeout(c, 30*time.Second)
	defer cancel()
	counter := &counter{count: count, at: at, done: cancel}
	kit.Done(consumer.Consume(limited, []string{topic}, counter))
	kit.Done(consumer.Close())
	return counter.found
}

type counter struct {
	count int
	at    func(sarama.ConsumerGroupSession)
	done  func()
	found []*sarama.ConsumerMessage
}

func (*counter) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*counter) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (r *counter) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for len(r.found) < r.count {
		select {
		case record := <-claim.Messages():
			r.found = append(r.found, record)
			session.MarkMessage(record, "")
		case <-session.Context().Done():
			return nil
		}
	}
	r.at(session)
	r.done()
	return nil
}

func committed(c *kit.Context, admin sarama.ClusterAdmin, group, topic string) *sarama.OffsetFetchResponseBlock {
	answer := kit.Must(admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}}))
	return answer.GetBlock(topic, 0)
}

func describe(c *kit.Context) (described *sarama.GroupDescription) {
	withAdmin(c, func(admin sarama.ClusterAdmin) {
		described = kit.Must(admin.DescribeConsumerGroups([]string{c.Group()}))[0]
		kit.Equal(described.Err, sarama.ErrNoError, "error of the group")
	})
	return described
}
