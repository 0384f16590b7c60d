package kit

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// LoadPartitions is how many partitions the topic of a load has.
const LoadPartitions = 3

// Load is what clients do while the broker goes away and comes back: what was acknowledged, read, and went wrong.
type Load struct {
	Topic string

	lock         sync.Mutex
	acknowledged [LoadPartitions][]string
	sent         int
	read         map[string]bool
	failures     []string
}

// NewLoad is one on a topic that is there.
func NewLoad(topic string) *Load {
	return &Load{Topic: topic, read: map[string]bool{}}
}

// Through runs clients while the broker is killed and then stopped; none may end with an error.
func (l *Load) Through(c *Context, clients ...func(running context.Context) error) {
	running, stop := context.WithCancel(c)
	var group sync.WaitGroup
	for _, client := range clients {
		group.Go(func() {
			if err := client(running); err != nil {
				l.Failed(err)
			}
		})
	}
	func() {
		defer group.Wait()
		defer stop()
		for _, action := range []string{"kill", "stop"} {
			l.progress()
			c.Broker(action)
			c.Broker("start")
		}
		l.progress()
	}()
	Equal(l.failures, nil, "errors of clients")
}

// Acknowledged is a record whose producer was answered.
func (l *Load) Acknowledged(partition int32, value string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.acknowledged[partition] = append(l.acknowledged[partition], value)
	l.sent++
}

// Read is a record that came; after a restart it may come again.
func (l *Load) Read(partition int32, offset int64) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.read[fmt.Sprintf("%d-%d", partition, offset)] = true
}

// Failed is an error that no client should have shown.
func (l *Load) Failed(err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if len(l.failures) < 5 {
		l.failures = append(l.failures, err.Error())
	}
}

// Counts is how many records were acknowledged in each partition.
func (l *Load) Counts() []int {
	return Map(l.acknowledged[:], func(values []string) int { return len(values) })
}

// Sent is how many were acknowledged altogether.
func (l *Load) Sent() int { return l.sent }

// Verify holds a partition against what was acknowledged: every record once, in order.
func (l *Load) Verify(partition int32, found []string) {
	acknowledged := l.acknowledged[partition]
	Equal(Sorted(found), Sorted(acknowledged), fmt.Sprintf("records of partition %d", partition))
	numbers := Map(found, func(text string) int64 { return Sorted([]string{text})[0] })
	Check(slices.IsSorted(numbers), "partition %d is not in order", partition)
}

func (l *Load) progress() {
	state := func() (sent, read int, failed bool) {
		l.lock.Lock()
		defer l.lock.Unlock()
		return l.sent, len(l.read), len(l.failures) > 0
	}
	sent, read, _ := state()
	Eventually(func() bool {
		sentNow, readNow, failed := state()
		return failed || sentNow >= sent+500 && readNow >= read+500
	}, "500 more records are acknowledged and read", 40)
}
