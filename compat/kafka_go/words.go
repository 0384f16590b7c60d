package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"kbroker/compat/golang/kit"
)

func client(c *kit.Context) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(c.Bootstrap), Timeout: 20 * time.Second}
}

func createTopic(c *kit.Context, topic string, partitions int, configs ...string) string {
	var settings []kafka.ConfigEntry
	for index := 0; index < len(configs); index += 2 {
		settings = append(settings, kafka.ConfigEntry{ConfigName: configs[index], ConfigValue: configs[index+1]})
	}
	created := kit.Must(client(c).CreateTopics(c, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: settings},
	}}))
	kit.Done(created.Errors[topic])
	if c.Kind == "kafka" {
		// Apache Kafka answers before its partitions are served; this waits for them.
		kit.Eventually(func() bool {
			for partition := range partitions {
				if _, err := offsetAt(c, topic, partition, kafka.LastOffset); err != nil {
					return false
				}
			}
			return true
		}, topic+" is served", 20)
	}
	return topic
}

// The offset of a time, or of the first or last record.
func offsetAt(c *kit.Context, topic string, partition int, at int64) (int64, error) {
	answer, err := client(c).ListOffsets(c, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		topic: {{Partition: partition, Timestamp: at}},
	}})
	if err != nil {
		return 0, err
	}
	found := answer.Topics[topic][0]
	switch at {
	case kafka.FirstOffset:
		return found.FirstOffset, found.Error
	case kafka.LastOffset:
		return found.LastOffset, found.Error
	}
	for offset := range found.Offsets {
		return offset, found.Error
	}
	return -1, found.Error
}

// The partition travels beside the message: a writer's balancer decides, and this one obeys.
func record(topic string, partition int, value string) kafka.Message {
	return kafka.Message{Topic: topic, Value: []byte(value), WriterData: partition}
}

func asTold(message kafka.Message, _ ...int) int {
	return message.WriterData.(int)
}

// All records from one number to just before another, dealt out to partitions in turn.
func numbered(topic string, partitions, from, to int) []kafka.Message {
	return kit.Map(kit.Range(from, to), func(number int64) kafka.Message {
		return record(topic, int(number)%partitions, fmt.Sprint(number))
	})
}

func writer(c *kit.Context, options ...func(*kafka.Writer)) *kafka.Writer {
	writer := &kafka.Writer{
		Addr:            kafka.TCP(c.Bootstrap),
		Balancer:        kafka.BalancerFunc(asTold),
		RequiredAcks:    kafka.RequireAll,
		BatchTimeout:    10 * time.Millisecond,
		WriteBackoffMax: 200 * time.Millisecond,
		// A transport of its own: what the common one knows of a topic may be seconds old.
		Transport: &kafka.Transport{MetadataTTL: 200 * time.Millisecond},
	}
	for _, option := range options {
		option(writer)
	}
	return writer
}

// Send all and wait; the first failure.
func send(c *kit.Context, messages []kafka.Message, options ...func(*kafka.Writer)) error {
	writer := writer(c, options...)
	err := writer.WriteMessages(c, messages...)
	kit.Done(writer.Close())
	writer.Transport.(*kafka.Transport).CloseIdleConnections()
	var failures kafka.WriteErrors
	if errors.As(err, &failures) {
		for _, failure := range failures {
			if failure != nil {
				return failure
			}
		}
	}
	return err
}

func batchesOf(records int) func(*kafka.Writer) {
	return func(writer *kafka.Writer) { writer.BatchSize = records }
}

// Numbered records into one partition, in batches of a few.
func fill(c *kit.Context, topic string, partition, from, to int) {
	messages := numbered(topic, 1, from, to)
	for index := range messages {
		messages[index].WriterData = partition
	}
	kit.Done(send(c, messages, batchesOf(10)))
}

func reader(c *kit.Context, topic string, partition int, offset int64, options ...func(*kafka.ReaderConfig)) *kafka.Reader {
	config := kafka.ReaderConfig{
		Brokers:               []string{c.Bootstrap},
		Topic:                 topic,
		Partition:             partition,
		MaxWait:               200 * time.Millisecond,
		OffsetOutOfRangeError: true,
	}
	for _, option := range options {
		option(&config)
	}
	reader := kafka.NewReader(config)
	kit.Done(reader.SetOffset(offset))
	return reader
}

// Exactly `count` records.
func poll(c *kit.Context, reader *kafka.Reader, count int) []kafka.Message {
	limited, cancel := context.WithTimeout(c, 20*time.Second)
	defer cancel()
	var found []kafka.Message
	for len(found) < count {
		message, err := reader.ReadMessage(limited)
		kit.Check(limited.Err() == nil, "%d of %d records within 20 s", len(found), count)
		kit.Done(err)
		found = append(found, message)
	}
	return found
}

func silent(c *kit.Context, reader *kafka.Reader, duration time.Duration) {
	limited, cancel := context.WithTimeout(c, duration)
	defer cancel()
	message, err := reader.ReadMessage(limited)
	kit.Check(err != nil, "a record where none was due, at offset %d", message.Offset)
}

// All records of some partitions, so many in each, without a group.
func read(c *kit.Context, topic string, counts ...int) [][]kafka.Message {
	var found [][]kafka.Message
	for partition, count := range counts {
		reader := reader(c, topic, partition, kafka.FirstOffset)
		found = append(found, poll(c, reader, count))
		silent(c, reader, 100*time.Millisecond)
		kit.Done(reader.Close())
	}
	return found
}

func of(messages []kafka.Message, partition int) []kafka.Message {
	return kit.Filter(messages, func(message kafka.Message) bool { return message.WriterData == partition })
}

func values(messages []kafka.Message) []string {
	return kit.Map(messages, func(message kafka.Message) string { return string(message.Value) })
}

func offsets(messages []kafka.Message) []int64 {
	return kit.Map(messages, func(message kafka.Message) int64 { return message.Offset })
}
