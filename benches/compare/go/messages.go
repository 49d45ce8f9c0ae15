package main

import (
	"runtime"
	"time"
)

// Members of the ring: a prime, so that it falls into step with nothing.
const ringSize = 503

// Who sends in fan-in and cast.
const senders = 8

// Room in a mailbox. Go's channels are bounded; from about here on more makes nothing quicker.
const mailbox = 1024

// Unbuffered channels: one goroutine hands over to the other, which is Go's quickest way there and
// back.
func pairs(pairs, count int) float64 {
	each := count / pairs
	start := make(chan struct{})
	done := make(chan struct{}, pairs)
	for i := 0; i < pairs; i++ {
		ping, pong := make(chan struct{}), make(chan struct{})
		go func() {
			for range ping {
				pong <- struct{}{}
			}
		}()
		go func() {
			<-start
			for i := 0; i < each; i++ {
				ping <- struct{}{}
				<-pong
			}
			close(ping)
			done <- struct{}{}
		}()
	}
	began := time.Now()
	close(start)
	for i := 0; i < pairs; i++ {
		<-done
	}
	return nanosEach(began, each*pairs)
}

func ring(hops int) float64 {
	done := make(chan struct{})
	first := make(chan int, 1)
	in := first
	for i := 0; i < ringSize; i++ {
		out := make(chan int, 1)
		if i == ringSize-1 {
			out = first
		}
		go member(in, out, done)
		in = out
	}
	began := time.Now()
	first <- hops
	<-done
	each := nanosEach(began, hops)
	close(first)
	return each
}

// Who gets the last token tells. A negative one, or a closed channel, ends the ring.
func member(in <-chan int, out chan<- int, done chan<- struct{}) {
	for token := range in {
		switch {
		case token > 0:
			out <- token - 1
		case token == 0:
			done <- struct{}{}
		}
	}
	defer func() { _ = recover() }() // The last one finds the first channel closed.
	close(out)
}

func fanIn(count int) float64 {
	messages := count / senders / burst * burst * senders
	inbox := make(chan uint64, mailbox)
	began := time.Now()
	for i := 0; i < senders; i++ {
		go func() {
			for i := 0; i < messages/senders/burst; i++ {
				for j := 0; j < burst; j++ {
					inbox <- 1
				}
				runtime.Gosched()
			}
		}()
	}
	for i := 0; i < messages; i++ {
		<-inbox
	}
	return nanosEach(began, messages)
}

type command struct {
	add   uint64
	reply chan uint64
}

// A goroutine that keeps a state and answers questions, until its channel is closed.
func counter() chan<- command {
	inbox := make(chan command, mailbox)
	go func() {
		value := uint64(0)
		for command := range inbox {
			if command.reply == nil {
				value += command.add
			} else {
				command.reply <- value
			}
		}
	}()
	return inbox
}

// The timer is used again for the next call, and so is the channel of the reply as long as none is
// late: what a careful user writes.
func calls(count int, limit time.Duration) float64 {
	server := counter()
	defer close(server)
	reply := make(chan uint64, 1)
	timer := time.NewTimer(time.Hour)
	began := time.Now()
	for i := 0; i < count; i++ {
		server <- command{reply: reply}
		if limit == 0 {
			<-reply
			continue
		}
		if !timer.Stop() {
			select {
			case <-timer.C:
			default:
			}
		}
		timer.Reset(limit)
		select {
		case <-reply:
		case <-timer.C:
			fail("a call took 5 s")
		}
	}
	return nanosEach(began, count)
}

func casts(count int) float64 {
	messages := count / senders / burst * burst * senders
	server := counter()
	defer close(server)
	done := make(chan struct{}, senders)
	began := time.Now()
	for i := 0; i < senders; i++ {
		go func() {
			for i := 0; i < messages/senders/burst; i++ {
				for j := 0; j < burst; j++ {
					server <- command{add: 1}
				}
				runtime.Gosched()
			}
			done <- struct{}{}
		}()
	}
	for i := 0; i < senders; i++ {
		<-done
	}
	reply := make(chan uint64, 1)
	server <- command{reply: reply}
	if sum := <-reply; sum != uint64(messages) {
		fail("messages were lost")
	}
	return nanosEach(began, messages)
}

func sendAfter(count int) float64 {
	inbox := make(chan struct{}, mailbox)
	began := time.Now()
	for i := 0; i < count; i++ {
		time.AfterFunc(time.Duration(1+i%20)*time.Millisecond, func() { inbox <- struct{}{} })
	}
	for i := 0; i < count; i++ {
		<-inbox
	}
	return nanosEach(began, count)
}

func armAndCancel(count int) float64 {
	inbox := make(chan struct{}, mailbox)
	began := time.Now()
	for i := 0; i < count; i++ {
		time.AfterFunc(5*time.Second, func() { inbox <- struct{}{} }).Stop()
	}
	return nanosEach(began, count)
}
