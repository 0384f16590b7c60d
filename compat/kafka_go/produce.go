package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"kbroker/compat/golang/kit"
)

const (
	// Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
	batchOverhead = 72
	maxBatch      = 1_048_588
)

var produceScenarios = []kit.Scenario{
	{Name: "produce_none", Run: produce(0)},
	{Name: "produce_gzip", Run: produce(kafka.Gzip)},
	{Name: "produce_snappy", Run: produce(kafka.Snappy)},
	{Name: "produce_lz4", Run: produce(kafka.Lz4)},
	{Name: "produce_zstd", Run: produce(kafka.Zstd)},
	{Name: "keyed_and_unkeyed", Run: keyedAndUnkeyed},
	{Name: "headers", Run: headers},
	{Name: "message_size_boundary", Run: messageSizeBoundary},
	{Name: "acks_0_1_all", Run: acks},
	{Name: "transactional_refused", Run: transactionalRefused},
}

func produce(codec kafka.Compression) func(*kit.Context) {
	return func(c *kit.Context) {
		topic := createTopic(c, c.Topic(), 3)
		sent := numbered(topic, 3, 0, 600)
		for number := range sent {
			sent[number].Value = append(sent[number].Value, strings.Repeat("the quick brown fox ", number%200)...)
		}
		kit.Done(send(c, sent, func(writer *kafka.Writer) { writer.Compression = codec }))
		for partition, found := range read(c, topic, 200, 200, 200) {
			kit.Equal(values(found), values(of(sent, partition)), fmt.Sprintf("partition %d", partition))
		}
	}
}

func keyedAndUnkeyed(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 6)
	var sent []kafka.Message
	for number := range 200 {
		value := []byte(fmt.Sprint(number))
		sent = append(sent,
			kafka.Message{Topic: topic, Key: fmt.Appendf(nil, "key-%d", number%20), Value: value},
			kafka.Message{Topic: topic, Value: append([]byte("unkeyed-"), value...)})
	}
	sent = append(sent,
		kafka.Message{Topic: topic, Key: []byte{}, Value: []byte("empty key")},
		kafka.Message{Topic: topic, Key: []byte("tombstone")},
		kafka.Message{Topic: topic, Key: []byte("empty value"), Value: []byte{}})
	kit.Done(send(c, sent, func(writer *kafka.Writer) { writer.Balancer = &kafka.Hash{} }))
	var counts []int
	for partition := range 6 {
		counts = append(counts, int(kit.Must(offsetAt(c, topic, partition, kafka.LastOffset))))
	}
	found := slices.Concat(read(c, topic, counts...)...)
	kit.Equal(len(found), len(sent), "records")
	for number := range 20 {
		key := fmt.Sprintf("key-%d", number)
		mine := kit.Filter(found, func(message kafka.Message) bool { return string(message.Key) == key })
		expected := kit.Map(kit.Range(0, 10), func(round int64) string { return fmt.Sprint(20*int(round) + number) })
		kit.Equal(values(mine), expected, "order of "+key)
		for _, message := range mine {
			kit.Equal(message.Partition, mine[0].Partition, "partition of "+key)
		}
	}
	// The client does not tell null from empty in what it reads.
	pair := func(message kafka.Message) string { return fmt.Sprintf("%q %q", message.Key, message.Value) }
	pairs := kit.Map(found, pair)
	for _, message := range sent {
		kit.Check(slices.Contains(pairs, pair(message)), "%s did not come back", pair(message))
	}
}

func headers(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 1)
	cases := [][]kafka.Header{
		{{Key: "one", Value: []byte("1")}},
		{
			{Key: "same", Value: []byte("first")},
			{Key: "other", Value: []byte("x")},
			{Key: "same", Value: []byte("second")},
		},
		{
			{Key: "null", Value: nil},
			{Key: "empty", Value: []byte{}},
			{Key: "binary", Value: []byte{0, 1, 255}},
			{Key: "ünïcode", Value: []byte("✓")},
		},
		nil,
	}
	kit.Done(send(c, kit.Map(cases, func(headers []kafka.Header) kafka.Message {
		return kafka.Message{Topic: topic, Value: []byte("v"), Headers: headers, WriterData: 0}
	})))
	text := func(header kafka.Header) string { return fmt.Sprintf("%s=%q", header.Key, header.Value) }
	for index, message := range read(c, topic, len(cases))[0] {
		kit.Equal(kit.Map(message.Headers, text), kit.Map(cases[index], text), "headers")
	}
}

func messageSizeBoundary(c *kit.Context) {
	large := func(writer *kafka.Writer) { writer.BatchBytes = 10_000_000 }
	topic := createTopic(c, c.Topic(), 1)
	largest := strings.Repeat("x", maxBatch-batchOverhead)
	kit.Done(send(c, []kafka.Message{record(topic, 0, largest)}, large))
	tooLarge := send(c, []kafka.Message{record(topic, 0, largest+"x")}, large)
	kit.Fails(tooLarge, kafka.MessageSizeTooLarge, "one byte more")
	kit.Equal(values(read(c, topic, 1)[0]), []string{largest}, "the largest record")

	roomy := createTopic(c, c.Topic("roomy"), 1, "max.message.bytes", "5000000")
	big := strings.Repeat("y", 4_000_000)
	kit.Done(send(c, []kafka.Message{record(roomy, 0, big)}, large))
	kit.Equal(values(read(c, roomy, 1)[0]), []string{big}, "a large record")

	narrow := createTopic(c, c.Topic("narrow"), 1, "max.message.bytes", "1000")
	kit.Done(send(c, []kafka.Message{record(narrow, 0, strings.Repeat("x", 928))}, large))
	tooLarge = send(c, []kafka.Message{record(narrow, 0, strings.Repeat("x", 1000))}, large)
	kit.Fails(tooLarge, kafka.MessageSizeTooLarge, "above the topic's limit")
}

func acks(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 3)
	var sent []kafka.Message
	for partition, acks := range []kafka.RequiredAcks{kafka.RequireNone, kafka.RequireOne, kafka.RequireAll} {
		mine := kit.Map(kit.Range(0, 300), func(number int64) kafka.Message {
			return record(topic, partition, fmt.Sprintf("%d-%d", partition, number))
		})
		var placed []int64
		kit.Done(send(c, mine, batchesOf(10), func(writer *kafka.Writer) {
			writer.RequiredAcks = acks
			// One partition, so one batch after the other.
			writer.Completion = func(messages []kafka.Message, _ error) { placed = append(placed, offsets(messages)...) }
		}))
		if acks != kafka.RequireNone {
			kit.Equal(placed, kit.Range(0, 300), fmt.Sprintf("offsets with acks of partition %d", partition))
		}
		sent = append(sent, mine...)
	}
	for partition, found := range read(c, topic, 300, 300, 300) {
		kit.Equal(values(found), values(of(sent, partition)), fmt.Sprintf("partition %d", partition))
	}
}

func transactionalRefused(c *kit.Context) {
	started := time.Now()
	answer, err := client(c).InitProducerID(c, &kafka.InitProducerIDRequest{TransactionalID: c.Group(), TransactionTimeoutMs: 60_000})
	if err == nil {
		err = answer.Error
	}
	kit.Check(err != nil, "a transactional producer worked")
	kit.Check(time.Since(started) < 5*time.Second, "the error took more than 5 s: %v", err)
}
