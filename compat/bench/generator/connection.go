package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"syscall"
	"time"
)

const (
	// Answers beyond this are counted and thrown away by the kernel, but for their heads.
	largeAnswer = 16 << 10

	// Positions in a request and in a record batch.
	correlationAt   = 8
	crcAt           = 17
	checkedFrom     = 21
	producerIDAt    = 43
	producerEpochAt = 51
	sequenceAt      = 53
)

var (
	buffer     [1 << 16]byte
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	errClosed = errors.New("the broker closed a connection")
)

type connection struct {
	fd     int
	stream *Stream

	// As many copies of the request as may be in flight; those to be sent, and what the socket did not take.
	requests []byte
	unsent   []byte
	sent     int32
	offset   int64
	producer int64

	// Of the answers that are awaited, oldest first, in a ring.
	sentAt      []time.Time
	askedOffset []int64
	answered    int32

	// The head of the answer that is being read, and how much of its rest is to come.
	head [512]byte
	got  int
	need int
	skip int
}

func open(plan *Plan, number int) (*connection, error) {
	stream := &plan.Streams[number%len(plan.Streams)]
	fd, err := dial(stream.Address)
	if err != nil {
		return nil, err
	}
	c := &connection{
		fd:          fd,
		stream:      stream,
		sentAt:      make([]time.Time, plan.InFlight),
		askedOffset: make([]int64, plan.InFlight),
	}
	for range plan.InFlight {
		c.requests = append(c.requests, stream.Request...)
	}
	c.need = 8
	for _, at := range stream.Answer.NoErrorAt {
		c.need = max(c.need, 4+at+2)
	}
	if stream.Answer.OffsetAt > 0 {
		c.need = max(c.need, 4+stream.Answer.OffsetAt+8)
	}
	if c.need > len(c.head) || c.need > 4+stream.Answer.Length {
		return nil, fmt.Errorf("an answer of %d bytes has no place %d", stream.Answer.Length, c.need)
	}
	if fetch := stream.Fetch; fetch != nil {
		c.offset = fetch.First
		if fetch.End > 0 {
			// Each begins elsewhere.
			batches := (fetch.End - fetch.First) / fetch.Step
			c.offset += batches * int64(number) / int64(plan.Connections) * fetch.Step
		}
	}
	if stream.Producer != nil {
		c.producer = stream.Producer.Ids[number]
	}
	return c, c.greet(plan.Hello)
}

func dial(address string) (int, error) {
	resolved, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return 0, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return 0, err
	}
	return fd, syscall.Connect(fd, &syscall.SockaddrInet4{Port: resolved.Port, Addr: [4]byte(resolved.IP.To4())})
}

// greet sends the first request, whose answer must begin with error code 0, while the socket still blocks.
func (c *connection) greet(hello []byte) error {
	if _, err := write(c.fd, hello); err != nil {
		return err
	}
	got := 0
	for got < 10 || got < 4+int(binary.BigEndian.Uint32(buffer[:])) {
		n, err := read(c.fd, buffer[got:])
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("closed instead of answering the first request")
		}
		got += n
	}
	if code := binary.BigEndian.Uint16(buffer[8:]); code != 0 {
		return fmt.Errorf("the first request was answered with error %d", code)
	}
	return nil
}

// send sends more requests, or as much of them as the socket takes; nothing may be unsent.
func (c *connection) send(count int, now time.Time) error {
	size := len(c.stream.Request)
	for number := range count {
		slot := int(c.sent) % len(c.sentAt)
		c.sentAt[slot], c.askedOffset[slot] = now, c.offset
		c.patch(c.requests[number*size : (number+1)*size])
		c.sent++
	}
	c.unsent = c.requests[:count*size]
	return c.flush()
}

func (c *connection) flush() error {
	for len(c.unsent) > 0 {
		n, err := write(c.fd, c.unsent)
		if err == syscall.EAGAIN {
			return nil
		}
		if err != nil {
			return err
		}
		c.unsent = c.unsent[n:]
	}
	return nil
}

func (c *connection) patch(request []byte) {
	binary.BigEndian.PutUint32(request[correlationAt:], uint32(c.sent))
	if fetch := c.stream.Fetch; fetch != nil {
		binary.BigEndian.PutUint64(request[fetch.At:], uint64(c.offset))
		c.offset += fetch.Step
		if fetch.End > 0 && c.offset >= fetch.End {
			c.offset = fetch.First
		}
	}
	if producer := c.stream.Producer; producer != nil {
		batch := request[producer.BatchAt:]
		batch = batch[:12+binary.BigEndian.Uint32(batch[8:])]
		binary.BigEndian.PutUint64(batch[producerIDAt:], uint64(c.producer))
		binary.BigEndian.PutUint16(batch[producerEpochAt:], 0)
		binary.BigEndian.PutUint32(batch[sequenceAt:], uint32(c.sent*producer.Records))
		binary.BigEndian.PutUint32(batch[crcAt:], crc32.Checksum(batch[checkedFrom:], castagnoli))
	}
}

// receive reads what is there; how many answers were completed.
func (c *connection) receive() (int, error) {
	before := c.answered
	for {
		n, whole, err := c.read()
		if err == syscall.EAGAIN {
			break
		}
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, errClosed
		}
		if !whole {
			break
		}
	}
	return int(c.answered - before), nil
}

// read is one system call; whether it filled all the room it had.
func (c *connection) read() (int, bool, error) {
	if c.skip > largeAnswer {
		n, err := discard(c.fd, c.skip)
		if err != nil {
			return 0, false, err
		}
		whole := n == c.skip
		c.passed(n)
		return n, whole, nil
	}
	room := len(buffer)
	if c.stream.Answer.Length > largeAnswer {
		if room = c.skip; room == 0 {
			room = c.need - c.got
		}
	}
	n, err := read(c.fd, buffer[:room])
	if err != nil || n == 0 {
		return 0, false, err
	}
	return n, n == room, c.take(buffer[:n])
}

func (c *connection) take(data []byte) error {
	for len(data) > 0 {
		if c.skip > 0 {
			n := min(c.skip, len(data))
			c.passed(n)
			data = data[n:]
			continue
		}
		n := copy(c.head[c.got:c.need], data)
		c.got += n
		data = data[n:]
		if err := c.check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) passed(n int) {
	if c.skip -= n; c.skip == 0 {
		c.answered++
	}
}

// check looks at the head as soon as it tells something.
func (c *connection) check() error {
	answer := &c.stream.Answer
	head := c.head[:c.got]
	if c.got >= 4 {
		if length := int(int32(binary.BigEndian.Uint32(head))); length != answer.Length {
			return fmt.Errorf("an answer has %d bytes instead of %d: % x", length, answer.Length, head)
		}
	}
	if c.got < c.need {
		return nil
	}
	if id := binary.BigEndian.Uint32(head[4:]); id != uint32(c.answered) {
		return fmt.Errorf("answer %d where %d was due", id, c.answered)
	}
	for _, at := range answer.NoErrorAt {
		if code := int16(binary.BigEndian.Uint16(head[4+at:])); code != 0 {
			return fmt.Errorf("an answer with error %d: % x", code, head)
		}
	}
	if answer.OffsetAt > 0 {
		asked := c.askedOffset[int(c.answered)%len(c.askedOffset)]
		if found := int64(binary.BigEndian.Uint64(head[4+answer.OffsetAt:])); found != asked {
			return fmt.Errorf("records from offset %d where %d was asked for", found, asked)
		}
	}
	c.skip = 4 + answer.Length - c.need
	c.got = 0
	if c.skip == 0 {
		c.answered++
	}
	return nil
}
