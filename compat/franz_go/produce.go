package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kbroker/compat/golang/kit"
)

const (
	// Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
	batchOverhead = 72
	maxBatch      = 1_048_588
)

var produceScenarios = []kit.Scenario{
	{Name: "produce_none", Run: produce(kgo.NoCompression())},
	{Name: "produce_gzip", Run: produce(kgo.GzipCompression())},
	{Name: "produce_snappy", Run: produce(kgo.SnappyCompression())},
	{Name: "produce_lz4", Run: produce(kgo.Lz4Compression())},
	{Name: "produce_zstd", Run: produce(kgo.ZstdCompression())},
	{Name: "keyed_and_unkeyed", Run: keyedAndUnkeyed},
	{Name: "headers", Run: headers},
	{Name: "message_size_boundary", Run: messageSizeBoundary},
	{Name: "idempotent", Run: idempotent},
	{Name: "acks_0_1_all", Run: acks},
	{Name: "transactional_refused", Run: transactionalRefused},
}

func produce(codec kgo.CompressionCodec) func(*kit.Context) {
	return func(c *kit.Context) {
		topic := createTopic(c, c.Topic(), 3)
		sent := numbered(topic, 3, 0, 600)
		for number, record := range sent {
			record.Value = append(record.Value, strings.Repeat("the quick brown fox ", number%200)...)
		}
		kit.Done(send(c, sent, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond)))
		found := read(c, topic, len(sent), 3)
		for partition := range int32(3) {
			mine := of(found, partition)
			kit.Equal(values(mine), values(of(sent, partition)), fmt.Sprintf("partition %d", partition))
		}
		if codec != kgo.NoCompression() {
			compressed := func(record *kgo.Record) bool { return record.Attrs.CompressionType() != 0 }
			kit.Check(slices.ContainsFunc(found, compressed), "no batch came back compressed")
		}
	}
}

func keyedAndUnkeyed(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 6)
	var sent []*kgo.Record
	for number := range 200 {
		value := []byte(fmt.Sprint(number))
		sent = append(sent,
			&kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "key-%d", number%20), Value: value},
			&kgo.Record{Topic: topic, Value: append([]byte("unkeyed-"), value...)})
	}
	sent = append(sent,
		&kgo.Record{Topic: topic, Key: []byte{}, Value: []byte("empty key")},
		&kgo.Record{Topic: topic, Key: []byte("tombstone")},
		&kgo.Record{Topic: topic, Key: []byte("empty value"), Value: []byte{}})
	kit.Done(send(c, sent, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))))
	found := read(c, topic, len(sent), 6)
	for number := range 20 {
		key := fmt.Sprintf("key-%d", number)
		mine := kit.Filter(found, func(record *kgo.Record) bool { return string(record.Key) == key })
		kit.Equal(len(of(mine, mine[0].Partition)), 10, "records of "+key+" in one partition")
		kit.Check(slices.IsSorted(offsets(mine)), "offsets of %s are not in order", key)
		expected := kit.Map(kit.Range(0, 10), func(round int64) string { return fmt.Sprint(20*int(round) + number) })
		kit.Equal(values(mine), expected, "order of "+key)
	}
	pair := func(record *kgo.Record) string { return fmt.Sprintf("%#v %#v", record.Key, record.Value) }
	pairs := kit.Map(found, pair)
	for _, record := range sent {
		kit.Check(slices.Contains(pairs, pair(record)), "%s did not come back", pair(record))
	}
}

func headers(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 1)
	cases := [][]kgo.RecordHeader{
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
	kit.Done(send(c, kit.Map(cases, func(headers []kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{Topic: topic, Value: []byte("v"), Headers: headers}
	})))
	for index, record := range read(c, topic, len(cases), 1) {
		kit.Equal(record.Headers, cases[index], "headers")
	}
}

func messageSizeBoundary(c *kit.Context) {
	settings := []kgo.Opt{
		kgo.ProducerBatchMaxBytes(10_000_000),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
	topic := createTopic(c, c.Topic(), 1)
	largest := strings.Repeat("x", maxBatch-batchOverhead)
	kit.Done(send(c, []*kgo.Record{record(topic, 0, largest)}, settings...))
	tooLarge := send(c, []*kgo.Record{record(topic, 0, largest+"x")}, settings...)
	kit.Fails(tooLarge, kerr.MessageTooLarge, "one byte more")
	kit.Equal(values(read(c, topic, 1, 1)), []string{largest}, "the largest record")

	roomy := createTopic(c, c.Topic("roomy"), 1, "max.message.bytes", "5000000")
	big := strings.Repeat("y", 4_000_000)
	kit.Done(send(c, []*kgo.Record{record(roomy, 0, big)}, settings...))
	// At least one batch comes, however small the limits of the consumer are.
	found := read(c, roomy, 1, 1, kgo.FetchMaxBytes(1000), kgo.FetchMaxPartitionBytes(1000))
	kit.Equal(values(found), []string{big}, "a large record")

	narrow := createTopic(c, c.Topic("narrow"), 1, "max.message.bytes", "1000")
	kit.Done(send(c, []*kgo.Record{record(narrow, 0, strings.Repeat("x", 930))}, settings...))
	tooLarge = send(c, []*kgo.Record{record(narrow, 0, strings.Repeat("x", 1000))}, settings...)
	kit.Fails(tooLarge, kerr.MessageTooLarge, "above the topic's limit")
}

func idempotent(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 6)
	sent := numbered(topic, 6, 0, 6000)
	// Idempotent is what the client begins with; many batches, several at a time.
	kit.Done(send(c, sent, kgo.ProducerBatchMaxBytes(600)))
	found := read(c, topic, len(sent), 6)
	for partition := range int32(6) {
		where := fmt.Sprintf("partition %d", partition)
		kit.Equal(offsets(of(sent, partition)), kit.Range(0, 1000), "acknowledged offsets of "+where)
		kit.Equal(values(of(found, partition)), values(of(sent, partition)), where)
		for _, record := range of(found, partition) {
			kit.Check(record.ProducerID >= 0, "a record of %s without a producer id", where)
		}
	}
}

func acks(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 3)
	var sent []*kgo.Record
	for partition, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
		mine := kit.Map(kit.Range(0, 300), func(number int64) *kgo.Record {
			return record(topic, int32(partition), fmt.Sprintf("%d-%d", partition, number))
		})
		kit.Done(send(c, mine, kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite(), kgo.ProducerBatchMaxBytes(512)))
		if acks != kgo.NoAck() {
			kit.Equal(offsets(mine), kit.Range(0, 300), fmt.Sprintf("offsets with acks of partition %d", partition))
		}
		sent = append(sent, mine...)
	}
	found := read(c, topic, len(sent), 3)
	for partition := range int32(3) {
		kit.Equal(values(of(found, partition)), values(of(sent, partition)), fmt.Sprintf("partition %d", partition))
	}
}

func transactionalRefused(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 1)
	producer := client(c.Bootstrap, kgo.TransactionalID(c.Group()))
	defer producer.Close()
	started := time.Now()
	err := producer.BeginTransaction()
	if err == nil {
		err = producer.ProduceSync(c, record(topic, 0, "v")).FirstErr()
	}
	kit.Check(err != nil, "a transactional producer worked")
	kit.Check(time.Since(started) < 5*time.Second, "the error took more than 5 s: %v", err)
	var refusal *kerr.Error
	kit.Check(!errors.As(err, &refusal) || !refusal.Retriable, "an error that clients retry: %v", err)
	kit.Equal(values(read(c, topic, 0, 1)), []string{}, "records of the refused transaction")
}
