package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Of /proc/<pid>/stat, the same on every Linux that Go runs on.
const ticksPerSecond = 100

// usage is CPU time so far: of the brokers with all their threads, and of this process.
type usage struct {
	brokers, client float64
}

func usageOf(pids []int) (usage, error) {
	var used usage
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return used, err
		}
		// The name in parentheses may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		for _, field := range fields[11:13] {
			ticks, err := strconv.ParseFloat(string(field), 64)
			if err != nil {
				return used, err
			}
			used.brokers += ticks / ticksPerSecond
		}
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return used, err
	}
	used.client = time.Duration(own.Utime.Nano() + own.Stime.Nano()).Seconds()
	return used, nil
}

func (after usage) since(before usage, result *Result) {
	result.CPUS = after.brokers - before.brokers
	result.ClientCPUS = after.client - before.client
}

// samples are the latencies of single requests.
type samples []time.Duration

func (s samples) describe(result *Result) {
	if len(s) == 0 {
		return
	}
	slices.Sort(s)
	at := func(share float64) float64 {
		return float64(s[int(share*float64(len(s)-1))].Nanoseconds()) / 1000
	}
	result.P50us, result.P99us, result.MaxUs = at(0.5), at(0.99), at(1)
}
