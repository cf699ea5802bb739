//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// patience ends a run that hangs. It says nothing about how long anything takes.
const patience = time.Minute

// A job is what a process does.
type job struct {
	Role    string
	ID      uint32 // of the process; never given to another one
	Seed    uint64
	Place   string // below which the logs are
	Dir     string // the log that all share
	Report  string
	Options mlog.Options
}

// A resident is what a process keeps for the whole life of the log: the log opened,
// a reader that sleeps when there is nothing, and one that is notified.
type resident struct {
	job
	note func(ack) error
	log  *mlog.Log

	following *follower
	notified  *follower
	notifier  *mlog.Notifier
	streams   []*stream
	openings  atomic.Uint32 // of the log, by which producers are told apart
	committed atomic.Int64  // one more than what a member of this process's group committed last
	done      work
}

// work is what came and went.
type work struct {
	Opened  atomic.Int64 // producers
	Readers atomic.Int64
	Joined  atomic.Int64 // members of groups
}

// A follower is a reader that stays.
type follower struct {
	reader *mlog.Reader
	dir    string // the log's
	*tracker
}

func openResident(j job, note func(ack) error) (*resident, error) {
	l, err := mlog.Open(j.Dir, j.Options)
	if err != nil {
		return nil, err
	}
	r := &resident{job: j, note: note, log: l}
	for _, f := range []**follower{&r.following, &r.notified} {
		if *f, err = openFollower(l, j.Dir, mlog.ReaderOptions{}); err != nil {
			return nil, err
		}
	}
	if r.notifier, err = l.Notifier(); err != nil {
		return nil, err
	}
	for _, s := range []style{
		{most: 1, least: 500, length: 6000, pause: 300 * time.Microsecond},
		{most: 8, length: 1500, pause: time.Millisecond},
		{most: 2, length: 3000, ack: mlog.Durable},
	} {
		w, err := l.Writer(mlog.WriterOptions{Ack: s.ack})
		if err != nil {
			return nil, err
		}
		r.streams = append(r.streams, &stream{first: identity{Producer: r.producer(), Stream: uint16(len(r.streams))}, style: s, w: w, note: note})
	}
	return r, nil
}

// producer is a number for one more opening of the log.
func (r *resident) producer() uint64 { return uint64(r.ID)<<32 | uint64(r.openings.Add(1)) }

// run is the work of one stage, until stay ends.
func (r *resident) run(stay context.Context, seed uint64) error {
	c := newCrew(stay, seed)
	for _, s := range r.streams {
		c.start("append", s.run)
	}
	c.start("come and go as a producer", r.pass)
	c.start("follow", func(stay context.Context, _ *rand.Rand) error { return r.following.follow(stay) })
	c.start("follow when notified", func(stay context.Context, _ *rand.Rand) error { return r.followNotified(stay) })
	for range 3 {
		c.start("come and go as a reader", r.visit)
	}
	for range 2 {
		c.start("join and leave", r.join)
	}
	if err := c.wait(); err != nil {
		return fmt.Errorf("process %d: %w", r.ID, err)
	}
	return nil
}

// settle has those that follow read what is left, the producers being gone.
func (r *resident) settle(end int64) error {
	stay, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for r.following.reader.Offset() < end && stay.Err() == nil {
		if err := r.following.next(stay); err != nil {
			return err
		}
	}
	for r.notified.reader.Offset() < end && stay.Err() == nil {
		if err := r.drain(stay); err != nil {
			return err
		}
	}
	if f, n := r.following.reader.Offset(), r.notified.reader.Offset(); f != end || n != end {
		return fmt.Errorf("process %d: the log ends at %d, and its readers came to %d and, notified, to %d", r.ID, end, f, n)
	}
	return nil
}

// close gives everything back.
func (r *resident) close() error {
	return errors.Join(r.notifier.Close(), r.following.reader.Close(), r.notified.reader.Close(), r.log.Close())
}

func (f *follower) follow(stay context.Context) error {
	for stay.Err() == nil {
		if err := f.next(stay); err != nil {
			return err
		}
	}
	return nil
}

// next reads one record, waiting for it until stay ends.
func (f *follower) next(stay context.Context) error {
	rec, err := f.reader.Next(stay)
	if isOver(stay, err) {
		return nil
	}
	return f.tookOrLost(rec, err)
}

// tookOrLost takes a record in, or goes on behind those that are gone.
func (f *follower) tookOrLost(rec mlog.Record, err error) error {
	if err == nil {
		return f.take(rec)
	}
	if !errors.Is(err, mlog.ErrOutOfRange) {
		return err
	}
	for errors.Is(err, mlog.ErrOutOfRange) { // retention may be quicker once more
		err = f.skipLost()
	}
	if err != nil {
		return err
	}
	return f.skipTo(f.reader.Offset())
}

// readAll reads what there is now.
func (f *follower) readAll() error {
	for {
		rec, ok, err := f.reader.TryNext()
		if err == nil && !ok {
			return nil
		}
		if err := f.tookOrLost(rec, err); err != nil {
			return err
		}
	}
}

func (r *resident) followNotified(stay context.Context) error {
	for stay.Err() == nil {
		if err := r.drain(stay); err != nil {
			return err
		}
	}
	return nil
}

// drain waits for an event and reads all there is.
func (r *resident) drain(stay context.Context) error {
	if err := awaitEvent(stay, r.notifier); err != nil {
		return err
	}
	return r.notified.readAll()
}

// awaitEvent returns at an event, or at the end of stay.
func awaitEvent(stay context.Context, n *mlog.Notifier) error {
	over := make(chan struct{})
	prevent := context.AfterFunc(stay, func() {
		defer close(over)
		_ = n.File().SetReadDeadline(time.Now())
	})
	var count [8]byte
	_, err := n.File().Read(count[:])
	if !prevent() {
		<-over
		_ = n.File().SetReadDeadline(time.Time{})
	}
	if err != nil && stay.Err() == nil {
		return fmt.Errorf("wait for an event: %w", err)
	}
	return nil
}

// isOver reports whether an error is just that of the end of stay.
func isOver(stay context.Context, err error) bool {
	return err != nil && stay.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

// A crew is goroutines that work until the first of them fails or they are told to
// leave. Each draws from a seed of its own.
type crew struct {
	stay   context.Context
	cancel context.CancelFunc
	seed   uint64
	wg     sync.WaitGroup
	mu     sync.Mutex
	number uint64
	errs   []error
}

func newCrew(stay context.Context, seed uint64) *crew {
	c := &crew{seed: seed}
	c.stay, c.cancel = context.WithCancel(stay)
	return c
}

func (c *crew) start(what string, f func(context.Context, *rand.Rand) error) {
	c.number++
	random := rand.New(rand.NewPCG(c.seed, c.number))
	c.wg.Go(func() {
		if err := f(c.stay, random); err != nil {
			c.mu.Lock()
			c.errs = append(c.errs, fmt.Errorf("%s: %w", what, err))
			c.mu.Unlock()
			c.cancel()
		}
	})
}

func (c *crew) wait() error {
	c.wg.Wait()
	c.cancel()
	return errors.Join(c.errs...)
}
