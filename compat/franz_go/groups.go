package main

import (
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kbroker/compat/golang/kit"
)

const groupPartitions = 6

var groupScenarios = []kit.Scenario{
	{Name: "group_of_three", Run: groupOfThree},
	{Name: "static_member", Run: staticMember},
	{Name: "cooperative", Run: cooperative},
	{Name: "commit_sync", Run: commitSync},
	{Name: "commit_async", Run: commitAsync},
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
			return func() bool {
				owned := member.Assignments()
				return len(owned) > 0 && len(member.Assigned()) == len(share) && member.Assigned()[0] == share[0]
			}
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

func commitSync(c *kit.Context) {
	topic := resumed(c, func(consumer *kgo.Client) {
		kit.Done(consumer.CommitUncommittedOffsets(c))
	}, kgo.DisableAutoCommit())
	withAdmin(c, func(admin *kadm.Client) {
		noted := kadm.Offsets{}
		noted.Add(kadm.Offset{Topic: topic, At: 7, LeaderEpoch: -1, Metadata: "a note"})
		kit.Done(admin.CommitAllOffsets(c, c.Group(), noted))
		found, there := kit.Must(admin.FetchOffsets(c, c.Group())).Lookup(topic, 0)
		kit.Check(there, "no commit by hand")
		kit.Equal([]any{found.At, found.Metadata}, []any{int64(7), "a note"}, "a commit by hand")
		_, there = kit.Must(admin.FetchOffsets(c, c.Group("fresh"))).Lookup(topic, 0)
		kit.Check(!there, "a group without commits has one")
	})
}

func commitAsync(c *kit.Context) {
	resumed(c, func(consumer *kgo.Client) {
		answered := make(chan error, 1)
		consumer.CommitOffsets(c, consumer.UncommittedOffsets(),
			func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
				if err == nil {
					err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
				}
				answered <- err
			})
		kit.Done(<-answered)
	}, kgo.DisableAutoCommit())
}

func commitAuto(c *kit.Context) {
	// What a poll returned counts as done with the next poll, and is committed at the next interval or on leaving.
	resumed(c, func(consumer *kgo.Client) {
		consumer.PauseFetchTopics(consumer.GetConsumeTopics()...)
		silent(c, consumer, 300*time.Millisecond)
	}, kgo.AutoCommitInterval(200*time.Millisecond))
}

// Read 40 of 100, commit, come back, and go on at 40.
func resumed(c *kit.Context, commit func(*kgo.Client), options ...kgo.Opt) string {
	topic := createTopic(c, c.Topic(), 1)
	fill(c, topic, 0, 0, 100)
	options = append(options,
		kgo.ConsumerGroup(c.Group()),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	first := client(c.Bootstrap, options...)
	defer first.Close()
	kit.Equal(offsets(poll(c, first, 40)), kit.Range(0, 40), "first reading")
	commit(first)
	kit.Done(first.LeaveGroupContext(c))
	second := client(c.Bootstrap, options...)
	defer second.Close()
	kit.Equal(offsets(poll(c, second, 60)), kit.Range(40, 100), "second reading")
	return topic
}

func describe(c *kit.Context) (described kadm.DescribedGroup) {
	withAdmin(c, func(admin *kadm.Client) {
		described = kit.Must(admin.DescribeGroups(c, c.Group()))[c.Group()]
		kit.Done(described.Err)
	})
	return described
}
