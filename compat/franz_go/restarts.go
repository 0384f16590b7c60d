package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kbroker/compat/golang/kit"
)

const restartPartitions = 3

var restartScenarios = []kit.Scenario{{Name: "restart_in_the_middle", Run: restartInTheMiddle}}

// The broker goes away and comes back under clients that stay.
type load struct {
	c     *kit.Context
	topic string

	lock         sync.Mutex
	acknowledged [restartPartitions][]string
	sent         int
	read         map[string]bool
	errors       []string
}

func restartInTheMiddle(c *kit.Context) {
	l := &load{c: c, topic: createTopic(c, c.Topic(), restartPartitions), read: map[string]bool{}}
	running, stop := context.WithCancel(c)
	var clients sync.WaitGroup
	clients.Go(func() { l.produce(running) })
	clients.Go(func() { l.consume(running) })
	clients.Go(func() { l.consume(running) })
	func() {
		defer clients.Wait()
		defer stop()
		for _, action := range []string{"kill", "stop"} {
			l.progress()
			c.Broker(action)
			c.Broker("start")
		}
		l.progress()
	}()
	l.verify()
}

func (l *load) progress() {
	sent, read, _ := l.counts()
	kit.Eventually(func() bool {
		sentNow, readNow, failed := l.counts()
		return failed || sentNow >= sent+500 && readNow >= read+500
	}, "500 more records are acknowledged and read", 40)
}

func (l *load) counts() (sent, read int, failed bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.sent, len(l.read), len(l.errors) > 0
}

func (l *load) verify() {
	kit.Equal(l.errors, nil, "errors of clients")
	found := read(l.c, l.topic, l.sent, restartPartitions)
	for partition, acknowledged := range l.acknowledged {
		mine := values(of(found, int32(partition)))
		kit.Equal(kit.Sorted(mine), kit.Sorted(acknowledged), fmt.Sprintf("records of partition %d", partition))
		kit.Check(slices.Equal(mine, acknowledged), "partition %d is not in order", partition)
	}
}

func (l *load) failed(where string, err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.errors = append(l.errors, fmt.Sprintf("%s: %v", where, err))
}

func (l *load) produce(running context.Context) {
	producer := client(l.c.Bootstrap, kgo.ProducerLinger(2*time.Millisecond))
	defer producer.Close()
	for number := 0; running.Err() == nil; number++ {
		producer.Produce(l.c, record(l.topic, int32(number%restartPartitions), fmt.Sprint(number)), func(placed *kgo.Record, err error) {
			if err != nil {
				l.failed("produce", err)
				return
			}
			l.lock.Lock()
			defer l.lock.Unlock()
			l.acknowledged[placed.Partition] = append(l.acknowledged[placed.Partition], string(placed.Value))
			l.sent++
		})
		time.Sleep(time.Millisecond)
	}
	if err := producer.Flush(l.c); err != nil {
		l.failed("flush", err)
	}
}

func (l *load) consume(running context.Context) {
	consumer := client(l.c.Bootstrap, kgo.ConsumerGroup(l.c.Group()), kgo.ConsumeTopics(l.topic),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	for running.Err() == nil {
		fetches := consumer.PollFetches(running)
		fetches.EachError(func(_ string, _ int32, err error) {
			// To be outside the group for a while is news to the application, not the end.
			var outside *kgo.ErrGroupSession
			if running.Err() == nil && !errors.As(err, &outside) {
				l.failed("consume", err)
			}
		})
		l.lock.Lock()
		for _, record := range fetches.Records() {
			l.read[fmt.Sprintf("%d-%d", record.Partition, record.Offset)] = true
		}
		l.lock.Unlock()
	}
}
