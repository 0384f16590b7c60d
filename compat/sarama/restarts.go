package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kbroker/compat/golang/kit"
)

var restartScenarios = []kit.Scenario{{Name: "restart_in_the_middle", Run: restartInTheMiddle}}

// Patient enough for a broker that is away for a while.
func patient(config *sarama.Config) {
	config.Metadata.Retry.Max = 300
	config.Producer.Retry.Max = 300
	config.Producer.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	config.Consumer.Group.Rebalance.Retry.Max = 300
	config.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.Return.Errors = false
}

func restartInTheMiddle(c *kit.Context) {
	load := kit.NewLoad(createTopic(c, c.Topic(), kit.LoadPartitions))
	consumer := func(running context.Context) error { return consumeUntil(c, running, load) }
	load.Through(c, func(running context.Context) error { return produceUntil(c, running, load) }, consumer, consumer)
	for partition, found := range read(c, load.Topic, load.Counts()...) {
		load.Verify(int32(partition), values(found))
	}
}

func produceUntil(c *kit.Context, running context.Context, load *kit.Load) error {
	producer, err := sarama.NewAsyncProducer([]string{c.Bootstrap}, config(idempotence, patient))
	if err != nil {
		return err
	}
	var answers sync.WaitGroup
	answers.Go(func() {
		for placed := range producer.Successes() {
			load.Acknowledged(placed.Partition, string(kit.Must(placed.Value.Encode())))
		}
	})
	answers.Go(func() {
		for failure := range producer.Errors() {
			load.Failed(failure)
		}
	})
	for number := 0; running.Err() == nil; number++ {
		producer.Input() <- record(load.Topic, int32(number%kit.LoadPartitions), fmt.Sprint(number))
		time.Sleep(time.Millisecond)
	}
	producer.AsyncClose()
	answers.Wait()
	return nil
}

func consumeUntil(c *kit.Context, running context.Context, load *kit.Load) error {
	consumer, err := sarama.NewConsumerGroup([]string{c.Bootstrap}, c.Group(), config(patient))
	if err != nil {
		return err
	}
	for running.Err() == nil {
		// An error is news of a broker that is away; the next call joins again.
		if consumer.Consume(running, []string{load.Topic}, (*loaded)(load)) != nil {
			time.Sleep(100 * time.Millisecond)
		}
	}
	return consumer.Close()
}

type loaded kit.Load

func (*loaded) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*loaded) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (l *loaded) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for record := range claim.Messages() {
		(*kit.Load)(l).Read(record.Partition, record.Offset)
		session.MarkMessage(record, "")
	}
	return nil
}
