//go:build linux

package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	mlog "github.com/seed27ccf144/mlog/log"
)

const (
	tenantRole = "tenant"
	victimRole = "victim"
)

// A census is what a tenant says of itself.
type census struct {
	Counts                  counts
	Opened, Readers, Joined int64
	Gone                    int64
}

// beTenant is the other process that stays as long as the log lives. It is told
// what to do line by line:
//
//	run SEED                work, until told to
//	halt                    stop: "halted"
//	settle END LIMITS       read what is left, and count: "counted CENSUS"
//	sleep DIR N             be a reader at the end of that log: "asleep", then "got I" N times, and "rose"
//
// At the end of the input it gives everything back, and counts once more.
func beTenant(j job, note func(ack) error) error {
	r, err := openResident(j, note)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var halt func() error
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var dir, limits string
		var n int64
		line := in.Text()
		switch {
		case scan(line, "run %d", &n):
			halt = r.begin(uint64(n))
		case line == "halt":
			if err := halt(); err != nil {
				return err
			}
			fmt.Println("halted")
		case scan(line, "settle %d %s", &n, &limits):
			err = r.settleAndCount(n, limits)
		case scan(line, "sleep %d %s", &n, &dir):
			err = sleepFor(dir, j.Options, int(n))
		default:
			err = fmt.Errorf("told %q", line)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(in.Err(), r.close(), sayNothingIsLeft(j.Place))
}

func scan(line, format string, args ...any) bool {
	n, err := fmt.Sscanf(line, format, args...)
	return err == nil && n == len(args)
}

// begin starts a stage's work, and returns what ends it.
func (r *resident) begin(seed uint64) (halt func() error) {
	stay, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- r.run(stay, seed) }()
	return func() error {
		cancel()
		return <-over
	}
}

func (r *resident) settleAndCount(end int64, text string) error {
	if err := r.settle(end); err != nil {
		return err
	}
	var limits *counts
	if err := json.Unmarshal([]byte(text), &limits); err != nil {
		return err
	}
	c, err := settle(r.Place, limits)
	if err != nil {
		return err
	}
	answer, err := json.Marshal(census{
		Counts: c, Gone: r.following.gone + r.notified.gone,
		Opened: r.done.Opened.Load(), Readers: r.done.Readers.Load(), Joined: r.done.Joined.Load(),
	})
	fmt.Printf("counted %s\n", answer)
	return err
}

// sayNothingIsLeft is an error if this process, which has closed all, still has
// something of the logs mapped.
func sayNothingIsLeft(place string) error {
	c, err := settle(place, &counts{Threads: 1 << 20, Descriptors: 1 << 20, Goroutines: 1 << 20, Heap: 1 << 40})
	if err == nil && c.Mappings > 0 {
		err = fmt.Errorf("all is closed, and %d mappings of the log's files are left", c.Mappings)
	}
	return err
}

// sleepFor reads n records behind the end of a log, sleeping for each.
func sleepFor(dir string, o mlog.Options, n int) error {
	l, err := mlog.Open(dir, o)
	if err != nil {
		return err
	}
	reader, err := l.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		return err
	}
	fmt.Println("asleep")
	for i := range n {
		if _, err := reader.Next(context.Background()); err != nil {
			return err
		}
		fmt.Println("got", i)
	}
	err = errors.Join(reader.Close(), l.Close())
	fmt.Println("rose")
	return err
}
