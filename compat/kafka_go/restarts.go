package main

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"kbroker/compat/golang/kit"
)

var restartScenarios = []kit.Scenario{{Name: "restart_in_the_middle", Run: restartInTheMiddle}}

func restartInTheMiddle(c *kit.Context) {
	load := kit.NewLoad(createTopic(c, c.Topic(), kit.LoadPartitions))
	consumer := func(running context.Context) error { return consumeUntil(c, running, load) }
	load.Through(c, func(running context.Context) error { return produceUntil(c, running, load) }, consumer, consumer)
	for partition := range kit.LoadPartitions {
		var end int64
		kit.Eventually(func() bool {
			// The first attempts find connections that died with the broker.
			var err error
			end, err = offsetAt(c, load.Topic, partition, kafka.LastOffset)
			return err == nil
		}, "the end of a partition", 10)
		reader := reader(c, load.Topic, partition, kafka.FirstOffset)
		load.Verify(int32(partition), once(values(poll(c, reader, int(end)))))
		kit.Done(reader.Close())
	}
}

// The writer is not idempotent: a batch whose answer was lost is there twice. The first time counts.
func once(values []string) []string {
	seen := map[string]bool{}
	return kit.Filter(values, func(value string) bool {
		again := seen[value]
		seen[value] = true
		return !again
	})
}

func produceUntil(c *kit.Context, running context.Context, load *kit.Load) error {
	writer := writer(c, func(writer *kafka.Writer) {
		writer.Async = true
		writer.MaxAttempts = 1000
		writer.Completion = func(messages []kafka.Message, err error) {
			if err != nil {
				load.Failed(err)
				return
			}
			for _, message := range messages {
				load.Acknowledged(int32(message.Partition), string(message.Value))
			}
		}
	})
	for number := 0; running.Err() == nil; number++ {
		for {
			// The writer asks for the partitions each time, and only tries once while the broker is away.
			err := writer.WriteMessages(c, record(load.Topic, number%kit.LoadPartitions, fmt.Sprint(number)))
			if err == nil || running.Err() != nil {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Millisecond)
	}
	return writer.Close()
}

func consumeUntil(c *kit.Context, running context.Context, load *kit.Load) error {
	consumer := kafka.NewReader(kafka.ReaderConfig{
		Brokers:           []string{c.Bootstrap},
		GroupID:           c.Group(),
		Topic:             load.Topic,
		StartOffset:       kafka.FirstOffset,
		SessionTimeout:    6 * time.Second,
		RebalanceTimeout:  6 * time.Second,
		HeartbeatInterval: 500 * time.Millisecond,
		CommitInterval:    200 * time.Millisecond,
		MaxWait:           200 * time.Millisecond,
		JoinGroupBackoff:  500 * time.Millisecond,
	})
	for running.Err() == nil {
		// An error is news of a broker that is away; the next call goes on.
		if message, err := consumer.ReadMessage(running); err == nil {
			load.Read(int32(message.Partition), message.Offset)
		}
	}
	return consumer.Close()
}
