// Replays prepared requests over many connections in a closed loop, and says how fast they were answered.
//
// It knows of Kafka only what must change from request to request. The plan comes as JSON on standard
// input, the result goes as JSON to standard output; any wrong answer ends the run.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

// Plan is one run. Connection i sends the requests of stream i modulo their number.
type Plan struct {
	Hello       []byte   `json:"hello"` // The first request of each connection, as clients begin.
	Streams     []Stream `json:"streams"`
	Connections int      `json:"connections"`
	InFlight    int      `json:"in_flight"`
	WarmUpS     float64  `json:"warm_up_s"`
	// What is measured ends with the first of these; the warm-up's bytes count, up to a quarter.
	Seconds       float64 `json:"seconds"`
	BytesAtMost   int64   `json:"bytes_at_most"`
	AnswersAtMost int64   `json:"answers_at_most"`
	// The processes whose CPU is counted.
	Pids []int `json:"pids"`
	// The first stream waits at the log's end, the second appends one batch at a time.
	Latency bool `json:"latency"`
}

// Stream is what one connection sends, and what it must get.
type Stream struct {
	Address  string    `json:"address"`
	Request  []byte    `json:"request"` // With its length in front.
	Bytes    int64     `json:"bytes"`   // That count, of one request or its answer.
	Answer   Answer    `json:"answer"`
	Fetch    *Fetch    `json:"fetch"`
	Producer *Producer `json:"producer"`
}

// Answer says what all answers must be like. Positions are counted after the length.
type Answer struct {
	Length    int   `json:"length"`
	NoErrorAt []int `json:"no_error_at"`
	OffsetAt  int   `json:"offset_at"` // Of the base offset, which must be the one asked for; 0 if there is none.
}

// Fetch says where the offset stands in a request, and which offsets there are.
type Fetch struct {
	At    int   `json:"at"`
	Step  int64 `json:"step"`
	First int64 `json:"first"`
	End   int64 `json:"end"` // Back to First there; 0 for never.
}

// Producer says where the batch stands in a request, and who sends it.
type Producer struct {
	BatchAt int     `json:"batch_at"`
	Records int32   `json:"records"`
	Ids     []int64 `json:"ids"` // One a connection.
}

// Result is what was measured; Answers of the whole run, warm-up and end included, are in Total.
type Result struct {
	Answers    int64   `json:"answers"`
	Bytes      int64   `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	CPUS       float64 `json:"cpu_s"`
	ClientCPUS float64 `json:"client_cpu_s"`
	P50us      float64 `json:"p50_us"`
	P99us      float64 `json:"p99_us"`
	MaxUs      float64 `json:"max_us"`
	Total      int64   `json:"total"`
}

func main() {
	// One thread does everything, and what it allocates is little.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	var plan Plan
	err := json.NewDecoder(os.Stdin).Decode(&plan)
	if err == nil {
		var result Result
		if plan.Latency {
			result, err = latency(&plan)
		} else {
			result, err = load(&plan)
		}
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(result)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
