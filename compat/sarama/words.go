package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"kbroker/compat/golang/kit"
)

// What changes a config before its client is made.
type option func(*sarama.Config)

func config(options ...option) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Metadata.Retry.Backoff = 100 * time.Millisecond
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Consumer.Return.Errors = true
	// Closing waits for the fetch under way.
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	for _, option := range options {
		option(config)
	}
	return config
}

func connected(bootstrap string, options ...option) sarama.Client {
	return kit.Must(sarama.NewClient([]string{bootstrap}, config(options...)))
}

func withAdmin(c *kit.Context, use func(sarama.ClusterAdmin)) {
	admin := kit.Must(sarama.NewClusterAdmin([]string{c.Bootstrap}, config()))
	defer func() { kit.Done(admin.Close()) }()
	use(admin)
}

func createTopic(c *kit.Context, topic string, partitions int32, configs ...string) string {
	settings := map[string]*string{}
	for index := 0; index < len(configs); index += 2 {
		settings[configs[index]] = &configs[index+1]
	}
	withAdmin(c, func(admin sarama.ClusterAdmin) {
		detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: settings}
		kit.Done(admin.CreateTopic(topic, detail, false))
	})
	if c.Kind == "kafka" {
		// Apache Kafka answers before its partitions are served; this waits for them.
		client := connected(c.Bootstrap)
		defer func() { kit.Done(client.Close()) }()
		kit.Eventually(func() bool { return served(client, topic, partitions) }, topic+" is served", 20)
	}
	return topic
}

func served(client sarama.Client, topic string, partitions int32) bool {
	if client.RefreshMetadata(topic) != nil {
		return false
	}
	for partition := range partitions {
		if _, err := client.GetOffset(topic, partition, sarama.OffsetNewest); err != nil {
			return false
		}
	}
	return true
}

func record(topic string, partition int32, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(value)}
}

// All records from one number to just before another, dealt out to partitions in turn.
func numbered(topic string, partitions int32, from, to int) []*sarama.ProducerMessage {
	return kit.Map(kit.Range(from, to), func(number int64) *sarama.ProducerMessage {
		return record(topic, int32(number)%partitions, fmt.Sprint(number))
	})
}

// Send all and wait; the first failure.
func send(c *kit.Context, records []*sarama.ProducerMessage, options ...option) error {
	producer, err := sarama.NewSyncProducer([]string{c.Bootstrap}, config(options...))
	if err != nil {
		return err
	}
	defer func() { kit.Done(producer.Close()) }()
	var failures sarama.ProducerErrors
	if err := producer.SendMessages(records); errors.As(err, &failures) {
		return failures[0].Err
	}
	return err
}

// Numbered records into one partition, in batches of a few.
func fill(c *kit.Context, topic string, partition int32, from, to int) {
	records := numbered(topic, 1, from, to)
	for _, record := range records {
		record.Partition = partition
	}
	kit.Done(send(c, records, batchesOf(10)))
}

func batchesOf(records int) option {
	return func(config *sarama.Config) { config.Producer.Flush.MaxMessages = records }
}

// A consumer of one partition, and what must be closed after it.
type reader struct {
	sarama.PartitionConsumer
	consumer sarama.Consumer
}

func consume(c *kit.Context, topic string, partition int32, offset int64, options ...option) reader {
	consumer := kit.Must(sarama.NewConsumer([]string{c.Bootstrap}, config(options...)))
	return reader{kit.Must(consumer.ConsumePartition(topic, partition, offset)), consumer}
}

func (r reader) close() {
	kit.Done(r.Close())
	kit.Done(r.consumer.Close())
}

// Exactly `count` records.
func (r reader) poll(count int) []*sarama.ConsumerMessage {
	var found []*sarama.ConsumerMessage
	late := time.After(20 * time.Second)
	for len(found) < count {
		select {
		case record := <-r.Messages():
			found = append(found, record)
		case failure := <-r.Errors():
			kit.Done(failure)
		case <-late:
			kit.Check(false, "%d of %d records within 20 s", len(found), count)
		}
	}
	return found
}

func (r reader) silent(duration time.Duration) {
	select {
	case record := <-r.Messages():
		kit.Check(false, "a record where none was due, at offset %d", record.Offset)
	case <-time.After(duration):
	}
}

// All records of some partitions, so many in each, without a group.
func read(c *kit.Context, topic string, counts ...int) [][]*sarama.ConsumerMessage {
	var found [][]*sarama.ConsumerMessage
	for partition, count := range counts {
		reader := consume(c, topic, int32(partition), sarama.OffsetOldest)
		found = append(found, reader.poll(count))
		reader.silent(100 * time.Millisecond)
		reader.close()
	}
	return found
}

func of(records []*sarama.ProducerMessage, partition int32) []*sarama.ProducerMessage {
	return kit.Filter(records, func(record *sarama.ProducerMessage) bool { return record.Partition == partition })
}

func sentValues(records []*sarama.ProducerMessage) []string {
	return kit.Map(records, func(record *sarama.ProducerMessage) string {
		return string(kit.Must(record.Value.Encode()))
	})
}

func sentOffsets(records []*sarama.ProducerMessage) []int64 {
	return kit.Map(records, func(record *sarama.ProducerMessage) int64 { return record.Offset })
}

func values(records []*sarama.ConsumerMessage) []string {
	return kit.Map(records, func(record *sarama.ConsumerMessage) string { return string(record.Value) })
}

func offsets(records []*sarama.ConsumerMessage) []int64 {
	return kit.Map(records, func(record *sarama.ConsumerMessage) int64 { return record.Offset })
}
