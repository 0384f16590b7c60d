package main

import (
	"time"
)

// For the waiting request to reach the broker and to wait there.
const beforeRecord = time.Millisecond

// latency measures from the sending of a produce request until the fetch that waits for it is answered.
func latency(plan *Plan) (Result, error) {
	consumer, err := open(plan, 0)
	if err != nil {
		return Result{}, err
	}
	producer, err := open(plan, 1)
	if err != nil {
		return Result{}, err
	}
	var result Result
	var found samples
	var before usage
	var begun time.Time
	warm := time.Now().Add(seconds(plan.WarmUpS))
	for begun.IsZero() || time.Since(begun) < seconds(plan.Seconds) {
		if begun.IsZero() && time.Now().After(warm) {
			if before, err = usageOf(plan.Pids); err != nil {
				return Result{}, err
			}
			begun = time.Now()
		}
		took, err := record(consumer, producer)
		if err != nil {
			return Result{}, err
		}
		result.Total++
		if !begun.IsZero() {
			found = append(found, took)
		}
	}
	result.Seconds = time.Since(begun).Seconds()
	after, err := usageOf(plan.Pids)
	if err != nil {
		return Result{}, err
	}
	after.since(before, &result)
	result.Answers = int64(len(found))
	result.Bytes = result.Answers * producer.stream.Bytes
	found.describe(&result)
	return result, nil
}

func record(consumer, producer *connection) (time.Duration, error) {
	if err := consumer.send(1, time.Now()); err != nil {
		return 0, err
	}
	time.Sleep(beforeRecord)
	begun := time.Now()
	if err := producer.send(1, begun); err != nil {
		return 0, err
	}
	if err := await(consumer); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	return took, await(producer)
}

// await reads until the one request in flight is answered; the socket blocks.
func await(c *connection) error {
	for c.answered < c.sent {
		n, _, err := c.read()
		if err != nil {
			return err
		}
		if n == 0 {
			return errClosed
		}
	}
	return nil
}
