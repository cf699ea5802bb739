package hostile_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	mlog "github.com/seed27ccf144/mlog/log"
)

var _ = addRole("consume", consumeRole)

// A consumers is a process that reads a hostile log in all ways at once, and a
// good one beside it.
type consumers struct {
	hostile, good *mlog.Log
	stop          chan struct{}
	wg            sync.WaitGroup
	tally         tally

	mu        sync.Mutex
	busy      map[string]time.Time // calls that are under way, by who makes them
	violation error
}

// A tally counts what happened.
type tally struct {
	Calls, Records, Errors, Skips, Faults, Good atomic.Int64
	Slowest                                     atomic.Int64 // ns
}

// A report is what a process of consumers says at its end.
type report struct {
	Calls, Records, Errors, Skips, Faults, Good int64
	SlowestMs                                   int64
	Violation                                   string
}

// consumeRole (HOSTILE GOOD SEED) reads until it is told how many records the
// good log has; when it has read these, it reports.
func consumeRole(args []string) error {
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	c := &consumers{stop: make(chan struct{}), busy: map[string]time.Time{}}
	if c.hostile, err = mlog.Open(args[0], mlog.Options{MustExist: true}); err != nil {
		return err
	}
	if c.good, err = mlog.Open(args[1], mlog.Options{MustExist: true}); err != nil {
		return err
	}
	go c.watch()
	ways := []way{{"skip", c.skipping}, {"stop", c.stopping}, {"time", c.byTime}, {"durable", c.durable},
		{"group", c.group}, {"any", c.any}, {"look", c.look}, {"open", c.open}}
	for i, w := range ways {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		c.wg.Go(func() {
			for !c.over() {
				w.run(rng)
			}
		})
	}
	until := make(chan int64, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.followGood(until)
	}()
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	n, err := strconv.ParseInt(in.Text(), 10, 64)
	if err != nil {
		return err
	}
	until <- n
	<-done
	close(c.stop)
	c.wg.Wait()
	return c.report()
}

type way struct {
	name string
	run  func(*rand.Rand)
}

func (c *consumers) report() error {
	t := &c.tally
	r := report{t.Calls.Load(), t.Records.Load(), t.Errors.Load(), t.Skips.Load(), t.Faults.Load(), t.Good.Load(), t.Slowest.Load() / 1e6, ""}
	if c.violation != nil {
		r.Violation = c.violation.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func (c *consumers) over() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

// watch ends the process if a call does not return.
func (c *consumers) watch() {
	for range time.Tick(time.Second) {
		c.mu.Lock()
		for who, since := range c.busy {
			if time.Since(since) > longest {
				debug.SetTraceback("all")
				panic(fmt.Sprintf("%s has not returned for %v", who, longest))
			}
		}
		c.mu.Unlock()
	}
}

func (c *consumers) violate(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.violation == nil {
		c.violation = fmt.Errorf(format, args...)
	}
}

// call makes one call on the log; who must be the caller's own.
func (c *consumers) call(who string, f func() error) error {
	began := time.Now()
	c.mu.Lock()
	c.busy[who] = began
	c.mu.Unlock()
	err := f()
	c.mu.Lock()
	delete(c.busy, who)
	c.mu.Unlock()
	c.tally.Calls.Add(1)
	took := int64(time.Since(began))
	for old := c.tally.Slowest.Load(); took > old && !c.tally.Slowest.CompareAndSwap(old, took); old = c.tally.Slowest.Load() {
	}
	var bug runtime.Error
	if err != nil && (errors.As(err, &bug) || err.Error() == "") {
		c.violate("%s: error %q", who, err)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		c.tally.Errors.Add(1)
	}
	return err
}

// touch reads every byte of a record of the hostile log.
func (c *consumers) touch(r mlog.Record) {
	c.tally.Records.Add(1)
	if r.Offset < 0 || int64(len(r.Key)+len(r.Value)) > smallest || len(r.Headers) > smallest {
		c.violate("record %d has a key of %d bytes, a value of %d, %d headers", r.Offset, len(r.Key), len(r.Value), len(r.Headers))
	}
	err := fault.Run(func() error {
		c := r.Clone()
		_ = c
		return nil
	})
	if err != nil { // the file was cut just now: what package log says of views
		c.tally.Faults.Add(1)
	}
}
