package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"kbroker/compat/golang/kit"
)

const then = 1_700_000_000_000

var consumeScenarios = []kit.Scenario{
	{Name: "consume_beginning", Run: beginning},
	{Name: "consume_end", Run: end},
	{Name: "consume_offset", Run: offset},
	{Name: "consume_timestamp", Run: timestamp},
	{Name: "pause_resume", Run: pauseResume},
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
	reader := consume(c, topic, 0, sarama.OffsetOldest)
	defer reader.close()
	found := reader.poll(100)
	kit.Equal(offsets(found), kit.Range(0, 100), "offsets")
	kit.Equal(values(found), kit.Numbers(0, 100), "values")
	kit.Equal(reader.HighWaterMarkOffset(), 100, "high watermark")
	client := connected(c.Bootstrap)
	defer func() { kit.Done(client.Close()) }()
	kit.Equal(kit.Must(client.GetOffset(topic, 0, sarama.OffsetOldest)), 0, "beginning")
	kit.Equal(kit.Must(client.GetOffset(topic, 0, sarama.OffsetNewest)), 100, "end")
}

func end(c *kit.Context) {
	topic := filled(c, 50)
	reader := consume(c, topic, 0, sarama.OffsetNewest)
	defer reader.close()
	reader.silent(time.Second)
	fill(c, topic, 0, 50, 51)
	found := reader.poll(1)
	kit.Equal(offsets(found), []int64{50}, "what came after")
	kit.Equal(values(found), []string{"50"}, "its value")
}

func offset(c *kit.Context) {
	topic := filled(c, 100)
	reader := consume(c, topic, 0, 42)
	defer reader.close()
	kit.Equal(offsets(reader.poll(58)), kit.Range(42, 100), "offsets")
	consumer := kit.Must(sarama.NewConsumer([]string{c.Bootstrap}, config()))
	defer func() { kit.Done(consumer.Close()) }()
	_, err := consumer.ConsumePartition(topic, 0, 5000)
	kit.Fails(err, sarama.ErrOffsetOutOfRange, "out of range")
}

func timestamp(c *kit.Context) {
	// Old records, which retention must not take away.
	topic := createTopic(c, c.Topic(), 2, "retention.ms", "-1")
	records := numbered(topic, 1, 0, 100)
	for number, record := range records {
		record.Timestamp = time.UnixMilli(then + int64(number)*1000)
	}
	// One batch a record, so that the index has something to find.
	kit.Done(send(c, records, batchesOf(1)))
	client := connected(c.Bootstrap)
	defer func() { kit.Done(client.Close()) }()
	at := func(milliseconds int64, partition int32) int64 {
		return kit.Must(client.GetOffset(topic, partition, milliseconds))
	}
	kit.Equal(at(then+40_000, 0), 40, "the exact time")
	kit.Equal(at(then+40_001, 0), 41, "between two records")
	kit.Equal(at(then-1, 0), 0, "before all")
	kit.Equal(at(then+99_001, 0), -1, "after all")
	kit.Equal(at(then, 1), -1, "an empty partition")
	reader := consume(c, topic, 0, at(then+90_000, 0))
	defer reader.close()
	for index, record := range reader.poll(10) {
		kit.Equal(record.Timestamp.UnixMilli(), int64(then+(90+index)*1000), "timestamps")
	}

	stamped := createTopic(c, c.Topic("append-time"), 1, "message.timestamp.type", "LogAppendTime")
	before := time.Now()
	old := record(stamped, 0, "v")
	old.Timestamp = time.UnixMilli(then)
	kit.Done(send(c, []*sarama.ProducerMessage{old}))
	found := read(c, stamped, 1)[0][0].Timestamp
	kit.Check(found.After(before.Add(-time.Second)) && found.Before(time.Now().Add(time.Second)), "LogAppendTime gave %v", found)
}

func pauseResume(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 2)
	consumer := kit.Must(sarama.NewConsumer([]string{c.Bootstrap}, config()))
	defer func() { kit.Done(consumer.Close()) }()
	var readers []reader
	for partition := range int32(2) {
		fill(c, topic, partition, 0, 50)
		reader := reader{kit.Must(consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)), consumer}
		defer func() { kit.Done(reader.Close()) }()
		reader.poll(50)
		readers = append(readers, reader)
	}
	paused, other := readers[0], readers[1]
	paused.Pause()
	// A fetch that was asked for before the pause may still bring something.
	time.Sleep(time.Second)
	fill(c, topic, 0, 50, 100)
	fill(c, topic, 1, 50, 100)
	kit.Equal(offsets(other.poll(50)), kit.Range(50, 100), "the other partition")
	paused.silent(time.Second)
	paused.Resume()
	kit.Equal(offsets(paused.poll(50)), kit.Range(50, 100), "after the pause")
}

func seek(c *kit.Context) {
	topic := filled(c, 200)
	// The client's way to seek is to begin anew.
	for _, target := range []int{0, 10, 180, 0, 120} {
		reader := consume(c, topic, 0, int64(target))
		found := reader.poll(20)
		reader.close()
		kit.Equal(offsets(found), kit.Range(target, target+20), fmt.Sprintf("after a seek to %d", target))
		kit.Equal(values(found), kit.Numbers(target, target+20), fmt.Sprintf("values after a seek to %d", target))
	}
}

func unknownTopic(c *kit.Context) {
	absent := c.Topic("absent")
	stays := func(config *sarama.Config) { config.Metadata.AllowAutoTopicCreation = false }
	withAdmin(c, func(admin sarama.ClusterAdmin) {
		described := kit.Must(admin.DescribeTopics([]string{absent}))
		kit.Fails(described[0].Err, sarama.ErrUnknownTopicOrPartition, "describing what is not there")
		kit.Fails(admin.DeleteTopic(absent), sarama.ErrUnknownTopicOrPartition, "deleting what is not there")
		err := send(c, []*sarama.ProducerMessage{record(absent, 0, "v")}, stays)
		kit.Fails(err, sarama.ErrUnknownTopicOrPartition, "producing to what is not there")
		_, there := kit.Must(admin.ListTopics())[absent]
		kit.Check(!there, "asking for a topic has created it")
	})
	wanted := c.Topic("wanted")
	kit.Done(send(c, []*sarama.ProducerMessage{record(wanted, 0, "creates its topic")}))
	kit.Equal(values(read(c, wanted, 1)[0]), []string{"creates its topic"}, "the auto-created topic")
	err := send(c, []*sarama.ProducerMessage{record("no such name/", 0, "v")})
	kit.Fails(err, sarama.ErrInvalidTopic, "a bad name")
}

func badPartition(c *kit.Context) {
	topic := filled(c, 10)
	err := send(c, []*sarama.ProducerMessage{record(topic, 99, "v")})
	kit.Check(err != nil, "producing worked")
	client := connected(c.Bootstrap)
	defer func() { kit.Done(client.Close()) }()
	_, err = client.GetOffset(topic, 99, sarama.OffsetNewest)
	kit.Fails(err, sarama.ErrUnknownTopicOrPartition, "asking")
	withAdmin(c, func(admin sarama.ClusterAdmin) {
		answer, err := admin.AlterConsumerGroupOffsets(c.Group(), map[string]map[int32]sarama.OffsetAndMetadata{
			topic: {99: {Offset: 0, LeaderEpoch: -1}},
		}, nil)
		kit.Done(err)
		kit.Fails(answer.Errors[topic][99], sarama.ErrUnknownTopicOrPartition, "committing")
	})
	reader := consume(c, topic, 0, sarama.OffsetOldest)
	defer reader.close()
	_, err = reader.consumer.ConsumePartition(topic, 99, sarama.OffsetOldest)
	kit.Fails(err, sarama.ErrUnknownTopicOrPartition, "reading")
	kit.Equal(offsets(reader.poll(10)), kit.Range(0, 10), "records of the partition that is there")
}
