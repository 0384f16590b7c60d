package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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

func consumer(c *kit.Context, topic string, offset kgo.Offset, options ...kgo.Opt) *kgo.Client {
	return client(c.Bootstrap, append(options, consumePartitions(topic, offset, 1))...)
}

func seekTo(consumer *kgo.Client, topic string, offset int64) {
	target := kgo.EpochOffset{Epoch: -1, Offset: offset}
	consumer.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: target}})
}

func beginning(c *kit.Context) {
	topic := filled(c, 100)
	reader := consumer(c, topic, kgo.NewOffset().AtStart())
	defer reader.Close()
	found := poll(c, reader, 100)
	kit.Equal(offsets(found), kit.Range(0, 100), "offsets")
	kit.Equal(values(found), kit.Numbers(0, 100), "values")
	withAdmin(c, func(admin *kadm.Client) {
		kit.Equal(kit.Must(admin.ListStartOffsets(c, topic))[topic][0].Offset, 0, "beginning")
		kit.Equal(kit.Must(admin.ListEndOffsets(c, topic))[topic][0].Offset, 100, "end")
	})
}

func end(c *kit.Context) {
	topic := filled(c, 50)
	reader := consumer(c, topic, kgo.NewOffset().AtEnd())
	defer reader.Close()
	silent(c, reader, time.Second)
	fill(c, topic, 0, 50, 51)
	found := poll(c, reader, 1)
	kit.Equal(offsets(found), []int64{50}, "what came after")
	kit.Equal(values(found), []string{"50"}, "its value")
}

func offset(c *kit.Context) {
	topic := filled(c, 100)
	reader := consumer(c, topic, kgo.NewOffset().At(42), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	kit.Equal(offsets(poll(c, reader, 58)), kit.Range(42, 100), "offsets")
	seekTo(reader, topic, 5000)
	kit.Equal(offsets(poll(c, reader, 100)), kit.Range(0, 100), "after a reset to the earliest")

	strict := consumer(c, topic, kgo.NewOffset().At(5000), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	defer strict.Close()
	kit.Fails(strict.PollFetches(c).Err(), kerr.OffsetOutOfRange, "out of range")
}

func timestamp(c *kit.Context) {
	// Old records, which retention must not take away.
	topic := createTopic(c, c.Topic(), 2, "retention.ms", "-1")
	producer := client(c.Bootstrap)
	defer producer.Close()
	for number := range 100 {
		// One batch a record, so that the index has something to find.
		stamped := record(topic, 0, fmt.Sprint(number))
		stamped.Timestamp = time.UnixMilli(then + int64(number)*1000)
		kit.Done(producer.ProduceSync(c, stamped).FirstErr())
	}
	at := func(milliseconds int64, partition int32) int64 {
		request := kmsg.NewPtrListOffsetsRequest()
		request.Topics = []kmsg.ListOffsetsRequestTopic{{
			Topic:      topic,
			Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: partition, CurrentLeaderEpoch: -1, Timestamp: milliseconds}},
		}}
		answer := kit.Must(request.RequestWith(c, producer)).Topics[0].Partitions[0]
		kit.Done(kerr.ErrorForCode(answer.ErrorCode))
		return answer.Offset
	}
	kit.Equal(at(then+40_000, 0), 40, "the exact time")
	kit.Equal(at(then+40_001, 0), 41, "between two records")
	kit.Equal(at(then-1, 0), 0, "before all")
	kit.Equal(at(then+99_001, 0), -1, "after all")
	kit.Equal(at(then, 1), -1, "an empty partition")
	reader := consumer(c, topic, kgo.NewOffset().AfterMilli(then+90_000))
	defer reader.Close()
	for index, record := range poll(c, reader, 10) {
		kit.Equal(record.Timestamp.UnixMilli(), int64(then+(90+index)*1000), "timestamps")
	}

	stamped := createTopic(c, c.Topic("append-time"), 1, "message.timestamp.type", "LogAppendTime")
	before := time.Now()
	old := record(stamped, 0, "v")
	old.Timestamp = time.UnixMilli(then)
	kit.Done(send(c, []*kgo.Record{old}))
	found := read(c, stamped, 1, 1)[0]
	kit.Check(found.Timestamp.After(before.Add(-time.Second)) && found.Timestamp.Before(time.Now().Add(time.Second)),
		"LogAppendTime gave %v", found.Timestamp)
	kit.Equal(found.Attrs.TimestampType(), 1, "type of the timestamp")
}

func pauseResume(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 2)
	reader := client(c.Bootstrap, consumePartitions(topic, kgo.NewOffset().AtStart(), 2),
		kgo.FetchMaxWait(500*time.Millisecond))
	defer reader.Close()
	fill(c, topic, 0, 0, 50)
	fill(c, topic, 1, 0, 50)
	poll(c, reader, 100)
	paused := map[string][]int32{topic: {0}}
	reader.PauseFetchPartitions(paused)
	fill(c, topic, 0, 50, 100)
	fill(c, topic, 1, 50, 100)
	kit.Equal(len(of(poll(c, reader, 50), 1)), 50, "records of the other partition")
	silent(c, reader, time.Second)
	reader.ResumeFetchPartitions(paused)
	kit.Equal(offsets(poll(c, reader, 50)), kit.Range(50, 100), "after the pause")
}

func seek(c *kit.Context) {
	topic := filled(c, 200)
	reader := consumer(c, topic, kgo.NewOffset().AtStart())
	defer reader.Close()
	poll(c, reader, 140)
	for _, target := range []int{10, 180, 0, 120} {
		seekTo(reader, topic, int64(target))
		found := poll(c, reader, 20)
		kit.Equal(offsets(found), kit.Range(target, target+20), fmt.Sprintf("after a seek to %d", target))
		kit.Equal(values(found), kit.Numbers(target, target+20), fmt.Sprintf("values after a seek to %d", target))
	}
}

func unknownTopic(c *kit.Context) {
	absent := c.Topic("absent")
	withAdmin(c, func(admin *kadm.Client) {
		described := kit.Must(admin.ListTopics(c, absent))
		kit.Fails(described[absent].Err, kerr.UnknownTopicOrPartition, "describing what is not there")
		_, err := admin.DeleteTopic(c, absent)
		kit.Fails(err, kerr.UnknownTopicOrPartition, "deleting what is not there")
		err = send(c, []*kgo.Record{record(absent, 0, "v")}, kgo.UnknownTopicRetries(2))
		kit.Fails(err, kerr.UnknownTopicOrPartition, "producing to what is not there")
		kit.Check(!kit.Must(admin.ListTopics(c)).Has(absent), "asking for a topic has created it")
	})
	wanted := c.Topic("wanted")
	kit.Done(send(c, []*kgo.Record{record(wanted, 0, "creates its topic")}, kgo.AllowAutoTopicCreation()))
	kit.Equal(values(read(c, wanted, 1, 1)), []string{"creates its topic"}, "the auto-created topic")
	err := send(c, []*kgo.Record{record("no such name/", 0, "v")}, kgo.AllowAutoTopicCreation())
	kit.Fails(err, kerr.InvalidTopicException, "a bad name")
}

func badPartition(c *kit.Context) {
	topic := filled(c, 10)
	err := send(c, []*kgo.Record{record(topic, 99, "v")})
	kit.Check(err != nil, "producing worked")
	withAdmin(c, func(admin *kadm.Client) {
		absent := kadm.Offsets{}
		absent.AddOffset(topic, 99, 0, -1)
		kit.Fails(admin.CommitAllOffsets(c, c.Group(), absent), kerr.UnknownTopicOrPartition, "committing")
	})
	reader := client(c.Bootstrap, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {0: kgo.NewOffset().AtStart(), 99: kgo.NewOffset().AtStart()},
	}))
	defer reader.Close()
	request := kmsg.NewPtrListOffsetsRequest()
	request.Topics = []kmsg.ListOffsetsRequestTopic{{
		Topic:      topic,
		Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 99, CurrentLeaderEpoch: -1, Timestamp: -1}},
	}}
	// Straight to the broker: else the client itself refuses.
	answer := kit.Must(request.RequestWith(c, reader.Broker(1))).Topics[0].Partitions[0]
	kit.Fails(kerr.ErrorForCode(answer.ErrorCode), kerr.UnknownTopicOrPartition, "asking")
	kit.Equal(offsets(poll(c, reader, 10)), kit.Range(0, 10), "records of the partition that is there")
}
