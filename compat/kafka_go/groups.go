package main

import (
	"time"

	"github.com/segmentio/kafka-go"

	"kbroker/compat/golang/kit"
)

const groupPartitions = 6

var groupScenarios = []kit.Scenario{
	{Name: "group_of_three", Run: groupOfThree},
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
		kit.Equal(described.GroupState, "Stable", "state")
		kit.Equal(len(described.Members), 3, "members")
		first.Leave()
		kit.Settled(groupPartitions, second, third)
		second.Kill()
		kit.Settled(groupPartitions, third)
		before := len(third.Values())
		kit.Done(send(c, numbered(topic, groupPartitions, 300, 360)))
		kit.Eventually(func() bool { return len(third.Values()) >= before+60 }, "the last member reads all", 20)
		third.Leave()
		kit.Eventually(func() bool { return describe(c).GroupState == "Empty" }, "the group is empty", 20)
	})
}

func groupReader(c *kit.Context, topic string, interval time.Duration) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers:          []string{c.Bootstrap},
		GroupID:          c.Group(),
		Topic:            topic,
		StartOffset:      kafka.FirstOffset,
		CommitInterval:   interval,
		MaxWait:          200 * time.Millisecond,
		JoinGroupBackoff: 500 * time.Millisecond,
	})
}

func commitSync(c *kit.Context) {
	topic := resumed(c, 0, fetch(c))
	answer := kit.Must(client(c).OffsetCommit(c, &kafka.OffsetCommitRequest{
		GroupID: c.Group(), GenerationID: -1,
		Topics: map[string][]kafka.OffsetCommit{topic: {{Offset: 7, Metadata: "a note"}}},
	}))
	kit.Done(answer.Topics[topic][0].Error)
	found := committed(c, c.Group(), topic)
	kit.Equal([]any{found.CommittedOffset, found.Metadata}, []any{int64(7), "a note"}, "a commit by hand")
	kit.Equal(committed(c, c.Group("fresh"), topic).CommittedOffset, -1, "a group without commits")
}

func commitAsync(c *kit.Context) {
	// The commit only queues; closing carries out what is queued.
	resumed(c, time.Minute, fetch(c))
}

func commitAuto(c *kit.Context) {
	resumed(c, 200*time.Millisecond, func(reader *kafka.Reader, count int) []kafka.Message {
		return poll(c, reader, count)
	})
}

// Fetches records and commits them when all are there.
func fetch(c *kit.Context) func(*kafka.Reader, int) []kafka.Message {
	return func(reader *kafka.Reader, count int) []kafka.Message {
		var found []kafka.Message
		for range count {
			found = append(found, kit.Must(reader.FetchMessage(c)))
		}
		kit.Done(reader.CommitMessages(c, found...))
		return found
	}
}

// Read 40 of 100, commit, come back, and go on at 40.
func resumed(c *kit.Context, interval time.Duration, read func(*kafka.Reader, int) []kafka.Message) string {
	topic := createTopic(c, c.Topic(), 1)
	fill(c, topic, 0, 0, 100)
	first := groupReader(c, topic, interval)
	kit.Equal(offsets(read(first, 40)), kit.Range(0, 40), "first reading")
	kit.Done(first.Close())
	second := groupReader(c, topic, interval)
	kit.Equal(offsets(read(second, 60)), kit.Range(40, 100), "second reading")
	kit.Done(second.Close())
	return topic
}

func committed(c *kit.Context, group, topic string) kafka.OffsetFetchPartition {
	answer := kit.Must(client(c).OffsetFetch(c, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}}))
	kit.Done(answer.Error)
	return answer.Topics[topic][0]
}

func describe(c *kit.Context) kafka.DescribeGroupsResponseGroup {
	described := kit.Must(client(c).DescribeGroups(c, &kafka.DescribeGroupsRequest{GroupIDs: []string{c.Group()}})).Groups[0]
	kit.Done(described.Error)
	return described
}
