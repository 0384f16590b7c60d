package main

import (
	"fmt"
	"syscall"
	"time"
)

// What a warm-up may take of the bytes of a run: what is written goes where memory is at hand for it.
const warmUpShare = 4

// loader keeps every connection at its number of requests in flight.
type loader struct {
	plan        *Plan
	poll        int
	connections []*connection
	silent      int // Connections without an answer yet.
	total       int64
	bytes       int64
	window      *window
	samples     samples
}

// window is what is measured: nil before and after.
type window struct {
	begun   time.Time
	usage   usage
	answers int64
	bytes   int64
}

func load(plan *Plan) (Result, error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return Result{}, err
	}
	l := &loader{plan: plan, poll: poll, samples: make(samples, 0, 1<<20)}
	for number := range plan.Connections {
		c, err := open(plan, number)
		if err != nil {
			return Result{}, fmt.Errorf("connection %d: %w", number, err)
		}
		if err := syscall.SetNonblock(c.fd, true); err != nil {
			return Result{}, err
		}
		l.connections = append(l.connections, c)
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(number)}
		if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, c.fd, &event); err != nil {
			return Result{}, err
		}
	}
	return l.run()
}

func (l *loader) run() (Result, error) {
	l.silent = len(l.connections)
	for number := range l.connections {
		if err := l.send(number, l.plan.InFlight, time.Now()); err != nil {
			return Result{}, err
		}
	}
	warm := time.Now().Add(seconds(l.plan.WarmUpS))
	for l.silent > 0 || time.Now().Before(warm) && !l.full(l.plan.BytesAtMost/warmUpShare) {
		if err := l.turn(true); err != nil {
			return Result{}, err
		}
	}
	used, err := usageOf(l.plan.Pids)
	if err != nil {
		return Result{}, err
	}
	w := &window{begun: time.Now(), usage: used}
	l.window = w
	end := w.begun.Add(seconds(l.plan.Seconds))
	for time.Now().Before(end) && !l.full(l.plan.BytesAtMost) {
		if err := l.turn(true); err != nil {
			return Result{}, err
		}
	}
	took := time.Since(w.begun)
	spent, err := usageOf(l.plan.Pids)
	if err != nil {
		return Result{}, err
	}
	l.window = nil
	for l.awaiting() {
		if err := l.turn(false); err != nil {
			return Result{}, err
		}
	}
	result := Result{Answers: w.answers, Bytes: w.bytes, Total: l.total, Seconds: took.Seconds()}
	spent.since(w.usage, &result)
	l.samples.describe(&result)
	return result, nil
}

// full tells whether that many bytes, the warm-up's among them, or enough answers are there.
func (l *loader) full(bytesAtMost int64) bool {
	return bytesAtMost > 0 && l.bytes >= bytesAtMost ||
		l.window != nil && l.plan.AnswersAtMost > 0 && l.window.answers >= l.plan.AnswersAtMost
}

func (l *loader) awaiting() bool {
	for _, c := range l.connections {
		if c.answered < c.sent {
			return true
		}
	}
	return false
}

// turn handles everything that is ready, and answers each answer with the next request if there is more to do.
func (l *loader) turn(more bool) error {
	var events [256]syscall.EpollEvent
	count, err := ready(l.poll, events[:])
	if err != nil {
		return err
	}
	for _, event := range events[:count] {
		number := int(event.Fd)
		if event.Events&syscall.EPOLLOUT != 0 {
			if err := l.flush(number); err != nil {
				return err
			}
		}
		if event.Events&^syscall.EPOLLOUT != 0 {
			if err := l.receive(number, more); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) receive(number int, more bool) error {
	c := l.connections[number]
	first := c.answered
	count, err := c.receive()
	if err != nil || count == 0 {
		return err
	}
	now := time.Now()
	if first == 0 {
		l.silent--
	}
	l.total += int64(count)
	l.bytes += int64(count) * c.stream.Bytes
	if l.window != nil {
		l.window.answers += int64(count)
		l.window.bytes += int64(count) * c.stream.Bytes
		for answer := first; answer < c.answered; answer++ {
			l.samples = append(l.samples, now.Sub(c.sentAt[int(answer)%len(c.sentAt)]))
		}
	}
	if !more {
		return nil
	}
	return l.send(number, l.plan.InFlight-int(c.sent-c.answered), now)
}

func (l *loader) send(number, count int, now time.Time) error {
	c := l.connections[number]
	if len(c.unsent) > 0 {
		return nil // They go when these are gone.
	}
	if err := c.send(count, now); err != nil {
		return err
	}
	if len(c.unsent) > 0 {
		return l.listen(number, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
	return nil
}

func (l *loader) flush(number int) error {
	c := l.connections[number]
	if err := c.flush(); err != nil || len(c.unsent) > 0 {
		return err
	}
	return l.listen(number, syscall.EPOLLIN)
}

func (l *loader) listen(number int, events uint32) error {
	event := syscall.EpollEvent{Events: events, Fd: int32(number)}
	return syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_MOD, l.connections[number].fd, &event)
}

func seconds(count float64) time.Duration {
	return time.Duration(count * float64(time.Second))
}
