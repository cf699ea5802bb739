package powercut

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

const segmentBytes = 64 << 10

// A plan is what is done to a log between two cuts.
type plan struct {
	logs      int // open at a time, each one a producer
	actors    int // goroutines; several may share a log
	steps     int // of each actor
	flush     time.Duration
	retention mlog.Retention
	trims     bool
	reopens   bool
	// durable is how many of ten appends wait for the disk.
	durable int
	syncs   bool
	sizes   sizes
}

// Sizes say how long the records of a world are.
type sizes int

const (
	mixed sizes = iota
	long        // so that segments are soon full, and dropped, and recycled
	// alike: short ones are all of one length, so that what is appended after a
	// recovery comes to stand just where something stood that was cut; with
	// others that are long.
	alike
)

func drawPlan(rng *rand.Rand) plan {
	p := plan{
		logs:    1 + rng.IntN(2),
		steps:   4 + rng.IntN(20),
		flush:   []time.Duration{-1, -1, 100 * time.Millisecond, time.Second}[rng.IntN(4)],
		trims:   rng.IntN(4) == 0,
		reopens: rng.IntN(3) == 0,
		durable: []int{0, 0, 1, 3, 6}[rng.IntN(5)],
		syncs:   rng.IntN(2) == 0,
	}
	p.actors = p.logs + rng.IntN(3)
	p.sizes = []sizes{mixed, long, long, alike, alike}[rng.IntN(5)]
	switch n := rng.IntN(4); {
	case p.sizes != mixed:
		p.steps += 10
		p.retention.Bytes = int64(2+rng.IntN(2)) * segmentBytes
	case n == 0:
		p.retention.Bytes = int64(2+rng.IntN(3)) * segmentBytes
	case n == 1:
		p.retention.Age = time.Duration(50+rng.IntN(1000)) * time.Millisecond
	}
	return p
}

func (p plan) options() mlog.Options {
	return mlog.Options{SegmentBytes: segmentBytes, Retention: p.retention, FlushEvery: p.flush}
}

// A producer is an open log with writers of both kinds. Several actors may use it.
type producer struct {
	log              *mlog.Log
	visible, durable *mlog.Writer
	users            int
}

func openProducer(dir string, o mlog.Options) (*producer, error) {
	l, err := mlog.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	p := &producer{log: l, users: 1}
	if p.visible, err = l.Writer(mlog.WriterOptions{}); err != nil {
		l.Close()
		return nil, fmt.Errorf("open for appending: %w", err)
	}
	p.durable, err = l.Writer(mlog.WriterOptions{Ack: mlog.Durable})
	return p, err
}

// An actor appends to a log, and does what else its users do.
type actor struct {
	w    *world
	rng  *rand.Rand
	name string
	p    *producer
	// alone says that nobody shares the producer.
	alone bool
	group *mlog.Group
}

func (a *actor) act() (err error) {
	for range a.w.plan.steps {
		a.w.sched.pause(a.name)
		if err = a.step(); err != nil {
			err = fmt.Errorf("%s: %w", a.name, err)
			break
		}
	}
	a.w.sched.pause(a.name + " ends")
	if a.group != nil {
		err = errors.Join(err, a.group.Close())
	}
	a.w.mu.Lock()
	a.p.users--
	last := a.p.users == 0
	a.w.mu.Unlock()
	if last {
		err = errors.Join(err, a.p.log.Close())
	}
	return err
}

func (a *actor) step() error {
	switch n := a.rng.IntN(20); {
	case n == 0 && a.w.plan.syncs:
		return a.sync()
	case n <= 2:
		return a.commit()
	case n == 3 && a.w.plan.reopens && a.alone:
		return a.reopen()
	case n == 4 && a.w.plan.trims && a.alone:
		return a.trim()
	case n == 5:
		return a.p.log.SetRetention(a.w.plan.retention)
	}
	return a.append()
}

func (a *actor) append() error {
	w, durable := a.p.visible, a.rng.IntN(10) < a.w.plan.durable
	if durable {
		w = a.p.durable
	}
	a.w.mu.Lock()
	b := a.w.ledger.begin(a.rng, a.w.plan.sizes)
	a.w.mu.Unlock()
	base, err := w.AppendBatch(context.Background(), b.records)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	b.offset = base
	if durable {
		a.w.ledger.durable = max(a.w.ledger.durable, b.end())
	}
	return nil
}

// sync makes durable what was appended by this producer before the call, and so
// all that is before it in the log.
func (a *actor) sync() error {
	newest := int64(0)
	if a.w.plan.logs == 1 { // that of other producers need not be
		newest = a.acknowledged()
	}
	if err := a.p.visible.Sync(context.Background()); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	a.w.ledger.durable = max(a.w.ledger.durable, newest)
	return nil
}

// acknowledged returns the offset behind all records that have one.
func (a *actor) acknowledged() int64 {
	a.w.mu.Lock()
	defer a.w.mu.Unlock()
	newest := int64(0)
	for _, b := range a.w.ledger.batches {
		if b.offset >= 0 {
			newest = max(newest, b.end())
		}
	}
	return newest
}

func (a *actor) commit() (err error) {
	if a.group == nil {
		if a.group, err = a.p.log.Group("group-" + a.name); err != nil {
			return err
		}
		if joined, err := a.group.TryJoin(); !joined || err != nil {
			return errors.Join(err, errors.New("cannot join a group of one's own"))
		}
	}
	end, err := a.p.log.EndOffset()
	if err != nil {
		return err
	}
	offset := end - a.rng.Int64N(min(end, 4)+1)
	a.w.mu.Lock()
	a.w.ledger.committed = max(a.w.ledger.committed, offset)
	a.w.mu.Unlock()
	return a.group.Commit(offset)
}

func (a *actor) reopen() error {
	if a.group != nil {
		a.group.Close()
		a.group = nil
	}
	if err := a.p.log.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	a.w.sched.pause(a.name + " opens")
	p, err := openProducer(a.w.log, a.w.plan.options())
	if err == nil {
		a.p = p
	}
	return err
}

func (a *actor) trim() error {
	end, err := a.p.log.EndOffset()
	if err != nil {
		return err
	}
	before := end - a.rng.Int64N(min(end, 30)+1)
	a.w.mu.Lock()
	a.w.ledger.trimmed = max(a.w.ledger.trimmed, before)
	a.w.mu.Unlock()
	_, err = a.p.log.Trim(context.Background(), mlog.TrimOptions{Before: mlog.At(before)})
	var gone *mlog.RangeError
	if errors.As(err, &gone) { // others were quicker
		return nil
	}
	return err
}
