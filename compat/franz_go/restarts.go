package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kbroker/compat/golang/kit"
)

var restartScenarios = []kit.Scenario{{Name: "restart_in_the_middle", Run: restartInTheMiddle}}

func restartInTheMiddle(c *kit.Context) {
	load := kit.NewLoad(createTopic(c, c.Topic(), kit.LoadPartitions))
	consumer := func(running context.Context) error { return consumeUntil(c, running, load) }
	load.Through(c, func(running context.Context) error { return produceUntil(c, running, load) }, consumer, consumer)
	found := read(c, load.Topic, load.Sent(), kit.LoadPartitions)
	for partition := range int32(kit.LoadPartitions) {
		load.Verify(partition, values(of(found, partition)))
	}
}

func produceUntil(c *kit.Context, running context.Context, load *kit.Load) error {
	producer := client(c.Bootstrap, kgo.ProducerLinger(2*time.Millisecond))
	defer producer.Close()
	for number := 0; running.Err() == nil; number++ {
		sent := record(load.Topic, int32(number%kit.LoadPartitions), fmt.Sprint(number))
		producer.Produce(c, sent, func(placed *kgo.Record, err error) {
			if err != nil {
				load.Failed(err)
			} else {
				load.Acknowledged(placed.Partition, string(placed.Value))
			}
		})
		time.Sleep(time.Millisecond)
	}
	return producer.Flush(c)
}

func consumeUntil(c *kit.Context, running context.Context, load *kit.Load) error {
	consumer := client(c.Bootstrap, kgo.ConsumerGroup(c.Group()), kgo.ConsumeTopics(load.Topic),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	for running.Err() == nil {
		fetches := consumer.PollFetches(running)
		for _, failure := range fetches.Errors() {
			// To be outside the group for a while is news to the application, not the end.
			var outside *kgo.ErrGroupSession
			if running.Err() == nil && !errors.As(failure.Err, &outside) {
				return failure.Err
			}
		}
		for _, record := range fetches.Records() {
			load.Read(record.Partition, record.Offset)
		}
	}
	return nil
}
