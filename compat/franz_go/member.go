package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kbroker/compat/golang/kit"
)

func member(settings kit.MemberSettings, group *kit.Group) {
	mine := func(partitions map[string][]int32) []int32 { return partitions[settings.Topic] }
	options := []kgo.Opt{
		kgo.ConsumerGroup(settings.Group),
		kgo.ConsumeTopics(settings.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			group.Assigned(mine(partitions))
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			group.Revoked(mine(partitions))
		}),
	}
	if settings.Instance != "" {
		// Long enough that the session does not end while the member is away.
		options = append(options, kgo.InstanceID(settings.Instance), kgo.SessionTimeout(20*time.Second))
	}
	if settings.Strategy == "cooperative" {
		options = append(options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	}
	consumer := client(settings.Bootstrap, options...)
	defer consumer.Close()
	polling, stop := context.WithCancel(context.Background())
	go func() {
		<-group.Told
		stop()
	}()
	for polling.Err() == nil {
		fetches := consumer.PollFetches(polling)
		if errors.Is(fetches.Err(), kerr.FencedInstanceID) {
			group.Failed("fenced")
			return
		}
		for _, record := range fetches.Records() {
			group.Record(record.Value)
		}
		if err := consumer.CommitUncommittedOffsets(polling); errors.Is(err, kerr.FencedInstanceID) {
			group.Failed("fenced")
			return
		}
	}
}
