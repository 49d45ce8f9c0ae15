// Go's side of the comparison. One workload a run:
//
//	bench ROW COUNT SAMPLES
//
// prints SAMPLES lines `ROW value`; the value is nanoseconds an operation unless the row is about
// memory (bytes), idle CPU (microseconds a second) or latency (nanoseconds). `bench version` says
// which Go this is.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// Operations between two yields where a goroutine would otherwise never wait.
const burst = 100

// A row that can be sampled again and again, in nanoseconds an operation.
var repeated = map[string]func(count int) float64{
	"spawn-exit":        spawnExit,
	"ping-pong":         func(count int) float64 { return pairs(1, count) },
	"ping-pong-64":      func(count int) float64 { return pairs(64, count) },
	"thread-ring":       ring,
	"fan-in":            fanIn,
	"skynet":            skynet,
	"call":              func(count int) float64 { return calls(count, 5*time.Second) },
	"call-bare":         func(count int) float64 { return calls(count, 0) },
	"cast":              casts,
	"send-after":        sendAfter,
	"send-after-cancel": armAndCancel,
	"canary":            canary,
}

// A row about a state: one sample, without a warm-up.
var once = map[string]func(count int) float64{
	"idle-memory":      idleMemory,
	"idle-cpu":         idleCPU,
	"spin-latency":     func(millis int) float64 { return spinLatency(millis, 0.99) },
	"spin-latency-max": func(millis int) float64 { return spinLatency(millis, 1) },
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "version" {
		fmt.Println(runtime.Version()[len("go"):])
		return
	}
	if len(os.Args) != 4 {
		fail("usage: bench ROW COUNT SAMPLES")
	}
	row := os.Args[1]
	count, err := strconv.Atoi(os.Args[2])
	samples, err2 := strconv.Atoi(os.Args[3])
	if err != nil || err2 != nil || count < 1 || samples < 1 {
		fail("COUNT and SAMPLES are numbers from 1 on")
	}
	if row == "tcp-echo" {
		serveEcho()
	} else if work, found := repeated[row]; found {
		warmUp := count / 10
		if warmUp < burst {
			warmUp = burst
		}
		work(warmUp)
		for i := 0; i < samples; i++ {
			report(row, work(count))
		}
	} else if work, found := once[row]; found {
		report(row, work(count))
	} else {
		fail("no row " + row)
	}
}

func report(row string, value float64) {
	fmt.Printf("%s %.3f\n", row, value)
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}

func nanosEach(start time.Time, count int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(count)
}
