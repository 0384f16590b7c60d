package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"

	"kbroker/compat/golang/kit"
)

func member(settings kit.MemberSettings, group *kit.Group) {
	consumer := kit.Must(sarama.NewConsumerGroup([]string{settings.Bootstrap}, settings.Group, config(func(config *sarama.Config) {
		config.Consumer.Group.Session.Timeout = 6 * time.Second
		config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
		if settings.Instance != "" {
			// Long enough that the session does not end while the member is away.
			config.Consumer.Group.Session.Timeout = 20 * time.Second
			config.Consumer.Group.InstanceId = settings.Instance
		}
		if settings.Strategy == "cooperative" {
			config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
		}
	})))
	consuming, stop := context.WithCancel(context.Background())
	go func() {
		<-group.Told
		stop()
	}()
	go func() {
		for err := range consumer.Errors() {
			if errors.Is(err, sarama.ErrFencedInstancedId) {
				group.Failed("fenced")
				stop()
			}
		}
	}()
	teller := &teller{group: group}
	for consuming.Err() == nil {
		if err := consumer.Consume(consuming, []string{settings.Topic}, teller); errors.Is(err, sarama.ErrFencedInstancedId) {
			group.Failed("fenced")
			break
		}
	}
	_ = consumer.Close()
}

// It tells what the client's handler is told. A claim begins and ends with its partition; sessions do so only where a
// rebalance takes everything.
type teller struct {
	group *kit.Group
}

func (*teller) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*teller) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (t *teller) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	partition := []int32{claim.Partition()}
	t.group.Assigned(partition)
	defer t.group.Revoked(partition)
	for {
		select {
		case record, more := <-claim.Messages():
			if !more {
				return nil
			}
			t.group.Record(record.Value)
			session.MarkMessage(record, "")
		case <-session.Context().Done():
			return nil
		}
	}
}
