package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"kbroker/compat/golang/kit"
)

const (
	// Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
	batchOverhead = 72
	maxBatch      = 1_048_588
)

var produceScenarios = []kit.Scenario{
	{Name: "produce_none", Run: produce(sarama.CompressionNone)},
	{Name: "produce_gzip", Run: produce(sarama.CompressionGZIP)},
	{Name: "produce_snappy", Run: produce(sarama.CompressionSnappy)},
	{Name: "produce_lz4", Run: produce(sarama.CompressionLZ4)},
	{Name: "produce_zstd", Run: produce(sarama.CompressionZSTD)},
	{Name: "keyed_and_unkeyed", Run: keyedAndUnkeyed},
	{Name: "headers", Run: headers},
	{Name: "message_size_boundary", Run: messageSizeBoundary},
	{Name: "idempotent", Run: idempotent},
	{Name: "acks_0_1_all", Run: acks},
	{Name: "transactional_refused", Run: transactionalRefused},
}

func compressed(codec sarama.CompressionCodec) option {
	return func(config *sarama.Config) { config.Producer.Compression = codec }
}

func produce(codec sarama.CompressionCodec) func(*kit.Context) {
	return func(c *kit.Context) {
		topic := createTopic(c, c.Topic(), 3)
		sent := numbered(topic, 3, 0, 600)
		for number, record := range sent {
			text := fmt.Sprint(number) + strings.Repeat("the quick brown fox ", number%200)
			record.Value = sarama.StringEncoder(text)
		}
		kit.Done(send(c, sent, compressed(codec), batchesOf(50)))
		for partition, found := range read(c, topic, 200, 200, 200) {
			expected := sentValues(of(sent, int32(partition)))
			kit.Equal(values(found), expected, fmt.Sprintf("partition %d", partition))
		}
	}
}

func keyedAndUnkeyed(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 6)
	var sent []*sarama.ProducerMessage
	keyed := func(key, value sarama.Encoder) {
		sent = append(sent, &sarama.ProducerMessage{Topic: topic, Key: key, Value: value})
	}
	for number := range 200 {
		keyed(sarama.StringEncoder(fmt.Sprintf("key-%d", number%20)), sarama.StringEncoder(fmt.Sprint(number)))
		keyed(nil, sarama.StringEncoder(fmt.Sprintf("unkeyed-%d", number)))
	}
	keyed(sarama.StringEncoder(""), sarama.StringEncoder("empty key"))
	keyed(sarama.StringEncoder("tombstone"), nil)
	keyed(sarama.StringEncoder("empty value"), sarama.StringEncoder(""))
	kit.Done(send(c, sent, func(config *sarama.Config) { config.Producer.Partitioner = sarama.NewHashPartitioner }))
	counts := make([]int, 6)
	for _, record := range sent {
		counts[record.Partition]++
	}
	found := slices.Concat(read(c, topic, counts...)...)
	for number := range 20 {
		key := fmt.Sprintf("key-%d", number)
		mine := kit.Filter(found, func(record *sarama.ConsumerMessage) bool { return string(record.Key) == key })
		expected := kit.Map(kit.Range(0, 10), func(round int64) string { return fmt.Sprint(20*int(round) + number) })
		kit.Equal(values(mine), expected, "order of "+key)
		for _, record := range mine {
			kit.Equal(record.Partition, mine[0].Partition, "partition of "+key)
		}
	}
	pairs := kit.Map(found, func(record *sarama.ConsumerMessage) string {
		return fmt.Sprintf("%#v %#v", record.Key, record.Value)
	})
	for _, record := range sent {
		pair := fmt.Sprintf("%#v %#v", encoded(record.Key), encoded(record.Value))
		kit.Check(slices.Contains(pairs, pair), "%s did not come back", pair)
	}
}

func encoded(text sarama.Encoder) []byte {
	if text == nil {
		return nil
	}
	return kit.Must(text.Encode())
}

func headers(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 1)
	header := func(key string, value []byte) sarama.RecordHeader {
		return sarama.RecordHeader{Key: []byte(key), Value: value}
	}
	cases := [][]sarama.RecordHeader{
		{header("one", []byte("1"))},
		{header("same", []byte("first")), header("other", []byte("x")), header("same", []byte("second"))},
		{header("null", nil), header("empty", []byte{}), header("binary", []byte{0, 1, 255}), header("ünïcode", []byte("✓"))},
		{},
	}
	kit.Done(send(c, kit.Map(cases, func(headers []sarama.RecordHeader) *sarama.ProducerMessage {
		return &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("v"), Headers: headers}
	})))
	for index, record := range read(c, topic, len(cases))[0] {
		found := kit.Map(record.Headers, func(header *sarama.RecordHeader) sarama.RecordHeader { return *header })
		kit.Equal(found, cases[index], "headers")
	}
}

func messageSizeBoundary(c *kit.Context) {
	large := func(config *sarama.Config) { config.Producer.MaxMessageBytes = 10_000_000 }
	topic := createTopic(c, c.Topic(), 1)
	largest := strings.Repeat("x", maxBatch-batchOverhead)
	kit.Done(send(c, []*sarama.ProducerMessage{record(topic, 0, largest)}, large))
	tooLarge := send(c, []*sarama.ProducerMessage{record(topic, 0, largest+"x")}, large)
	kit.Fails(tooLarge, sarama.ErrMessageSizeTooLarge, "one byte more")
	kit.Equal(values(read(c, topic, 1)[0]), []string{largest}, "the largest record")

	roomy := createTopic(c, c.Topic("roomy"), 1, "max.message.bytes", "5000000")
	big := strings.Repeat("y", 4_000_000)
	kit.Done(send(c, []*sarama.ProducerMessage{record(roomy, 0, big)}, large))
	// At least one batch comes, however small the limits of the consumer are.
	narrowed := consume(c, roomy, 0, sarama.OffsetOldest, func(config *sarama.Config) { config.Consumer.Fetch.Default = 1000 })
	defer narrowed.close()
	kit.Equal(values(narrowed.poll(1)), []string{big}, "a large record")

	narrow := createTopic(c, c.Topic("narrow"), 1, "max.message.bytes", "1000")
	kit.Done(send(c, []*sarama.ProducerMessage{record(narrow, 0, strings.Repeat("x", 928))}, large))
	tooLarge = send(c, []*sarama.ProducerMessage{record(narrow, 0, strings.Repeat("x", 1000))}, large)
	kit.Fails(tooLarge, sarama.ErrMessageSizeTooLarge, "above the topic's limit")
}

func idempotence(config *sarama.Config) {
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1 // The client allows no more.
}

func idempotent(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 6)
	sent := numbered(topic, 6, 0, 6000)
	kit.Done(send(c, sent, idempotence, batchesOf(60)))
	found := read(c, topic, 1000, 1000, 1000, 1000, 1000, 1000)
	for partition := range int32(6) {
		where := fmt.Sprintf("partition %d", partition)
		mine := of(sent, partition)
		kit.Equal(sentOffsets(mine), kit.Range(0, 1000), "acknowledged offsets of "+where)
		kit.Equal(values(found[partition]), sentValues(mine), where)
	}
}

func acks(c *kit.Context) {
	topic := createTopic(c, c.Topic(), 3)
	var sent []*sarama.ProducerMessage
	for partition, acks := range []sarama.RequiredAcks{sarama.NoResponse, sarama.WaitForLocal, sarama.WaitForAll} {
		mine := kit.Map(kit.Range(0, 300), func(number int64) *sarama.ProducerMessage {
			return record(topic, int32(partition), fmt.Sprintf("%d-%d", partition, number))
		})
		kit.Done(send(c, mine, batchesOf(10), func(config *sarama.Config) { config.Producer.RequiredAcks = acks }))
		if acks != sarama.NoResponse {
			kit.Equal(sentOffsets(mine), kit.Range(0, 300), fmt.Sprintf("offsets with acks of partition %d", partition))
		}
		sent = append(sent, mine...)
	}
	for partition, found := range read(c, topic, 300, 300, 300) {
		kit.Equal(values(found), sentValues(of(sent, int32(partition))), fmt.Sprintf("partition %d", partition))
	}
}

func transactionalRefused(c *kit.Context) {
	started := time.Now()
	_, err := sarama.NewSyncProducer([]string{c.Bootstrap}, config(idempotence, func(config *sarama.Config) {
		config.Producer.Transaction.ID = c.Group()
		// It asks again after every error: for five seconds, if left alone.
		config.Producer.Transaction.Retry.Max = 3
	}))
	kit.Check(err != nil, "a transactional producer worked")
	kit.Check(time.Since(started) < 5*time.Second, "the error took more than 5 s: %v", err)
}
