package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kbroker/compat/golang/kit"
)

func client(bootstrap string, options ...kgo.Opt) *kgo.Client {
	backoff := func(int) time.Duration { return 100 * time.Millisecond }
	common := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}
	return kit.Must(kgo.NewClient(append(common, options...)...))
}

func withAdmin(c *kit.Context, use func(*kadm.Client)) {
	admin := kadm.NewClient(client(c.Bootstrap))
	defer admin.Close()
	use(admin)
}

func createTopic(c *kit.Context, topic string, partitions int32, configs ...string) string {
	settings := map[string]*string{}
	for index := 0; index < len(configs); index += 2 {
		settings[configs[index]] = &configs[index+1]
	}
	withAdmin(c, func(admin *kadm.Client) {
		kit.Must(admin.CreateTopic(c, partitions, 1, settings, topic))
		if c.Kind == "kafka" {
			// Apache Kafka answers before its partitions are served; this waits for them.
			kit.Eventually(func() bool {
				ends, err := admin.ListEndOffsets(c, topic)
				return err == nil && ends.Error() == nil && len(ends[topic]) == int(partitions)
			}, topic+" is served", 20)
		}
	})
	return topic
}

func record(topic string, partition int32, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}
}

// All records from one number to just before another, dealt out to partitions in turn.
func numbered(topic string, partitions int32, from, to int) []*kgo.Record {
	return kit.Map(kit.Range(from, to), func(number int64) *kgo.Record {
		return record(topic, int32(number)%partitions, fmt.Sprint(number))
	})
}

// Send all and wait; the first failure.
func send(c *kit.Context, records []*kgo.Record, options ...kgo.Opt) error {
	producer := client(c.Bootstrap, options...)
	defer producer.Close()
	return producer.ProduceSync(c, records...).FirstErr()
}

// Numbered records into one partition, in batches of a few.
func fill(c *kit.Context, topic string, partition int32, from, to int) {
	records := numbered(topic, 1, from, to)
	for _, record := range records {
		record.Partition = partition
	}
	kit.Done(send(c, records, kgo.ProducerBatchMaxBytes(512)))
}

func consumePartitions(topic string, offset kgo.Offset, partitions int32) kgo.Opt {
	offsets := map[int32]kgo.Offset{}
	for partition := range partitions {
		offsets[partition] = offset
	}
	return kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets})
}

// Exactly `count` records, at most so many in one poll.
func poll(c *kit.Context, consumer *kgo.Client, count int) []*kgo.Record {
	limited, cancel := context.WithTimeout(c, 20*time.Second)
	defer cancel()
	var found []*kgo.Record
	for len(found) < count {
		fetches := consumer.PollRecords(limited, count-len(found))
		kit.Check(limited.Err() == nil, "%d of %d records within 20 s", len(found), count)
		kit.Done(fetches.Err())
		found = append(found, fetches.Records()...)
	}
	return found
}

func silent(c *kit.Context, consumer *kgo.Client, duration time.Duration) {
	limited, cancel := context.WithTimeout(c, duration)
	defer cancel()
	kit.Equal(values(consumer.PollFetches(limited).Records()), []string{}, "records where none were due")
}

// All records of some partitions, without a group.
func read(c *kit.Context, topic string, count int, partitions int32, options ...kgo.Opt) []*kgo.Record {
	options = append(options, consumePartitions(topic, kgo.NewOffset().AtStart(), partitions))
	consumer := client(c.Bootstrap, options...)
	defer consumer.Close()
	found := poll(c, consumer, count)
	silent(c, consumer, 300*time.Millisecond)
	return found
}

func of(records []*kgo.Record, partition int32) []*kgo.Record {
	return kit.Filter(records, func(record *kgo.Record) bool { return record.Partition == partition })
}

func values(records []*kgo.Record) []string {
	return kit.Map(records, func(record *kgo.Record) string { return string(record.Value) })
}

func offsets(records []*kgo.Record) []int64 {
	return kit.Map(records, func(record *kgo.Record) int64 { return record.Offset })
}
