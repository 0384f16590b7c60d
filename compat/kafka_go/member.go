package main

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"

	"kbroker/compat/golang/kit"
)

func member(settings kit.MemberSettings, told *kit.Group) {
	group := kit.Must(kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                settings.Group,
		Brokers:           []string{settings.Bootstrap},
		Topics:            []string{settings.Topic},
		SessionTimeout:    6 * time.Second,
		HeartbeatInterval: 500 * time.Millisecond,
		JoinGroupBackoff:  500 * time.Millisecond,
		StartOffset:       kafka.FirstOffset,
	}))
	going, stop := context.WithCancel(context.Background())
	go func() {
		<-told.Told
		stop()
	}()
	for going.Err() == nil {
		generation, err := group.Next(going)
		if err != nil {
			continue // The next call tries again.
		}
		told.Assigned(nil)
		for _, assigned := range generation.Assignments[settings.Topic] {
			generation.Start(func(owning context.Context) {
				partition := []int32{int32(assigned.ID)}
				told.Assigned(partition)
				defer told.Revoked(partition)
				consume(owning, generation, settings, assigned, told)
			})
		}
	}
	kit.Done(group.Close())
}

func consume(owning context.Context, generation *kafka.Generation, settings kit.MemberSettings, assigned kafka.PartitionAssignment, told *kit.Group) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:   []string{settings.Bootstrap},
		Topic:     settings.Topic,
		Partition: assigned.ID,
		MaxWait:   200 * time.Millisecond,
	})
	defer func() { _ = reader.Close() }()
	kit.Done(reader.SetOffset(assigned.Offset))
	for {
		message, err := reader.ReadMessage(owning)
		if err != nil {
			return
		}
		told.Record(message.Value)
		// It may fail when the generation has just ended; the next owner reads again.
		_ = generation.CommitOffsets(map[string]map[int]int64{settings.Topic: {assigned.ID: message.Offset + 1}})
	}
}
