package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"kbroker/compat/golang/kit"
)

const then = 1_700_000_000_000

var consumeScenarios = []kit.Scenario{
	{Name: "consume_beginning", Run: beginning},
	{Name: "consume_end", Run: end},
	{Name: "consume_offset", Run: offset},
	{Name: "consume_timestamp", Run: timestamp},
	{Name: "seek", Run: seek},
	{Name: "unknown_topic", Run: unknownTopic},
	{Name: "bad_partition", Run: badPartition},
}

func filled(c *kit.Context, count int) string {
	topic := createTopic(c, c.Topic(), 1)
	fill(c, topic, 0, 0, count)
	return topic
}

func beginning(c *kit.Context) {
	topic := filled(c, 100)
	reader := reader(c, topic, 0, kafka.FirstOffset)
	defer func() { kit.Done(reader.Close()) }()
	found := poll(c, reader, 100)
	kit.Equal(offsets(found), kit.Range(0, 100), "offsets")
	kit.Equal(values(found), kit.Numbers(0, 100), "values")
	kit.Equal(found[99].HighWaterMark, 100, "high watermark")
	kit.Equal(kit.Must(reader.ReadLag(c)), 0, "lag")
	kit.Equal(kit.Must(offsetAt(c, topic, 0, kafka.FirstOffset)), 0, "beginning")
	kit.Equal(kit.Must(offsetAt(c, topic, 0, kafka.LastOffset)), 100, "end")
}

func end(c *kit.Context) {
	topic := filled(c, 50)
	reader := reader(c, topic, 0, kafka.LastOffset)
	defer func() { kit.Done(reader.Close()) }()
	silent(c, reader, time.Second)
	fill(c, topic, 0, 50, 51)
	found := poll(c, reader, 1)
	kit.Equal(offsets(found), []int64{50}, "what came after")
	kit.Equal(values(found), []string{"50"}, "its value")
}

func offset(c *kit.Context) {
	topic := filled(c, 100)
	reader := reader(c, topic, 0, 42)
	defer func() { kit.Done(reader.Close()) }()
	kit.Equal(offsets(poll(c, reader, 58)), kit.Range(42, 100), "offsets")
	kit.Done(reader.SetOffset(5000))
	_, err := reader.ReadMessage(c)
	kit.Fails(err, kafka.OffsetOutOfRange, "out of range")
}

func timestamp(c *kit.Context) {
	// Old records, which retention must not take away.
	topic := createTopic(c, c.Topic(), 2, "retention.ms", "-1")
	messages := numbered(topic, 1, 0, 100)
	for number := range messages {
		messages[number].Time = time.UnixMilli(then + int64(number)*1000)
	}
	// One batch a record, so that the index has something to find.
	kit.Done(send(c, messages, batchesOf(1)))
	at := func(milliseconds int64, partition int) int64 {
		return kit.Must(offsetAt(c, topic, partition, milliseconds))
	}
	kit.Equal(at(then+40_000, 0), 40, "the exact time")
	kit.Equal(at(then+40_001, 0), 41, "between two records")
	kit.Equal(at(then-1, 0), 0, "before all")
	kit.Equal(at(then+99_001, 0), -1, "after all")
	kit.Equal(at(then, 1), -1, "an empty partition")
	old := reader(c, topic, 0, kafka.FirstOffset)
	defer func() { kit.Done(old.Close()) }()
	kit.Done(old.SetOffsetAt(c, time.UnixMilli(then+90_000)))
	for index, message := range poll(c, old, 10) {
		kit.Equal(message.Time.UnixMilli(), int64(then+(90+index)*1000), "timestamps")
	}
}

func seek(c *kit.Context) {
	topic := filled(c, 200)
	reader := reader(c, topic, 0, kafka.FirstOffset)
	defer func() { kit.Done(reader.Close()) }()
	poll(c, reader, 140)
	for _, target := range []int{10, 180, 0, 120} {
		kit.Done(reader.SetOffset(int64(target)))
		found := poll(c, reader, 20)
		kit.Equal(offsets(found), kit.Range(target, target+20), fmt.Sprintf("after a seek to %d", target))
		kit.Equal(values(found), kit.Numbers(target, target+20), fmt.Sprintf("values after a seek to %d", target))
	}
	kit.Equal(reader.Offset(), 140, "position")
}

func topics(c *kit.Context, names ...string) map[string]kafka.Topic {
	found := map[string]kafka.Topic{}
	for _, topic := range kit.Must(client(c).Metadata(c, &kafka.MetadataRequest{Topics: names})).Topics {
		found[topic.Name] = topic
	}
	return found
}

func unknownTopic(c *kit.Context) {
	absent := c.Topic("absent")
	kit.Fails(topics(c, absent)[absent].Error, kafka.UnknownTopicOrPartition, "describing what is not there")
	deleted := kit.Must(client(c).DeleteTopics(c, &kafka.DeleteTopicsRequest{Topics: []string{absent}}))
	kit.Fails(deleted.Errors[absent], kafka.UnknownTopicOrPartition, "deleting what is not there")
	err := send(c, []kafka.Message{record(absent, 0, "v")}, func(writer *kafka.Writer) { writer.MaxAttempts = 2 })
	kit.Fails(err, kafka.UnknownTopicOrPartition, "producing to what is not there")
	_, there := topics(c)[absent]
	kit.Check(!there, "asking for a topic has created it")

	wanted := c.Topic("wanted")
	creating := func(writer *kafka.Writer) { writer.AllowAutoTopicCreation = true }
	// Apache Kafka creates after its answer, and the writer does not ask again.
	kit.Eventually(func() bool {
		return send(c, []kafka.Message{record(wanted, 0, "creates its topic")}, creating) == nil
	}, "a record is taken for a topic that is not there", 20)
	kit.Equal(values(read(c, wanted, 1)[0]), []string{"creates its topic"}, "the auto-created topic")
	err = send(c, []kafka.Message{record("no such name/", 0, "v")}, creating)
	kit.Fails(err, kafka.InvalidTopic, "a bad name")
}

func badPartition(c *kit.Context) {
	topic := filled(c, 10)
	_, err := offsetAt(c, topic, 99, kafka.LastOffset)
	kit.Fails(err, kafka.UnknownTopicOrPartition, "asking")
	committed := kit.Must(client(c).OffsetCommit(c, &kafka.OffsetCommitRequest{
		GroupID: c.Group(), GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: {{Partition: 99}}},
	}))
	kit.Fails(committed.Topics[topic][0].Error, kafka.UnknownTopicOrPartition, "committing")
	// Not by a Reader: it keeps asking, without a word. This refuses by what the metadata says.
	_, err = client(c).Fetch(c, &kafka.FetchRequest{Topic: topic, Partition: 99, MaxBytes: 1000, MaxWait: time.Second})
	kit.Check(err != nil && strings.Contains(err.Error(), "partition not found"), "reading gave %v", err)
	kit.Equal(offsets(read(c, topic, 10)[0]), kit.Range(0, 10), "records of the partition that is there")
}
