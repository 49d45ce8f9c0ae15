package main

import (
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func spawnExit(count int) float64 {
	var all sync.WaitGroup
	began := time.Now()
	for i := 0; i < count/burst; i++ {
		all.Add(burst)
		for j := 0; j < burst; j++ {
			go all.Done()
		}
		runtime.Gosched()
	}
	all.Wait()
	return nanosEach(began, count)
}

// A leaf is its number, a node the sum of its ten children.
func skynet(leaves int) float64 {
	sum := make(chan int, 1)
	began := time.Now()
	go node(sum, 0, leaves)
	if <-sum != leaves*(leaves-1)/2 {
		fail("the tree does not add up")
	}
	return nanosEach(began, (10*leaves-1)/9)
}

func node(parent chan<- int, number, size int) {
	if size == 1 {
		parent <- number
		return
	}
	part := size / 10
	children := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go node(children, number+i*part, part)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	parent <- sum
}

// Each waits for a message on a channel of its own.
func idle(count int) []chan struct{} {
	all := make([]chan struct{}, count)
	for i := range all {
		inbox := make(chan struct{})
		all[i] = inbox
		go func() { <-inbox }()
	}
	return all
}

func idleMemory(count int) float64 {
	before := residentBytes()
	all := idle(count)
	time.Sleep(500 * time.Millisecond)
	each := float64(residentBytes()-before) / float64(count)
	runtime.KeepAlive(all)
	return each
}

func residentBytes() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		fail(err.Error())
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		fail(err.Error())
	}
	return pages * os.Getpagesize()
}

func idleCPU(millis int) float64 {
	all := idle(10_000)
	time.Sleep(time.Second)
	before := cpuTime()
	time.Sleep(time.Duration(millis) * time.Millisecond)
	used := cpuTime() - before
	runtime.KeepAlive(all)
	return float64(used.Microseconds()) * 1000 / float64(millis)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err.Error())
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// How long a call takes while eight goroutines compute for ever.
func spinLatency(millis int, share float64) float64 {
	server := counter()
	for i := 0; i < 8; i++ {
		go spin(1 << 62)
	}
	reply := make(chan uint64, 1)
	var nanos []int64
	end := time.Now().Add(time.Duration(millis) * time.Millisecond)
	for time.Now().Before(end) {
		began := time.Now()
		server <- command{reply: reply}
		<-reply
		nanos = append(nanos, time.Since(began).Nanoseconds())
	}
	sort.Slice(nanos, func(i, j int) bool { return nanos[i] < nanos[j] })
	return float64(nanos[int(float64(len(nanos)-1)*share+0.5)])
}

// Where the result goes, so that the work is not thought away.
var spun [64]uint64

//go:noinline
func spin(turns int) {
	x := uint64(1)
	for turn := 0; turn < turns; turn++ {
		x = x*5 + uint64(turn)
	}
	spun[x%64] = x
}

// A loop that takes 20 us on a core of its own: the fastest of ten tries counts.
func turnsOf20us() int {
	const try = 1_000_000
	fastest := time.Hour
	for i := 0; i < 10; i++ {
		began := time.Now()
		spin(try)
		if took := time.Since(began); took < fastest {
			fastest = took
		}
	}
	return int(20_000 * try / (fastest.Nanoseconds() + 1))
}

func canary(count int) float64 {
	turns := turnsOf20us()
	done := make(chan struct{}, mailbox)
	began := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			spin(turns)
			done <- struct{}{}
		}()
	}
	for i := 0; i < count; i++ {
		<-done
	}
	return nanosEach(began, count)
}
