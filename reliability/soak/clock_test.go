//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/reliability/check"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// What the log with the stepped clock keeps.
var clockRetention = layout.Retention{Bytes: 12 * segmentBytes, Age: 3 * time.Hour}

// A clocked log is one whose producers go by a clock that is stepped.
type clocked struct {
	dir    layout.Dir
	meta   layout.Meta
	now    atomic.Int64 // the clock
	stays  *writer.Writer
	comes  *writer.Writer // is closed and opened now and then; nil in between
	src    *reader.Source
	reads  *reader.Reader
	random *rand.Rand

	newest  int64           // append time of the newest record
	times   map[int64]int64 // by offset, when each record must have been appended
	read    int64           // offset up to which the reader that stays has read
	start   int64           // of the log, after the last step
	steps   int
	back    int
	dropped int // steps after which the log began later
	rolls   uint64
}

func newClocked(place string, seed uint64) (*clocked, error) {
	c := &clocked{dir: layout.Dir(filepath.Join(place, "clock")), random: rand.New(rand.NewPCG(seed, 1)), times: make(map[int64]int64)}
	c.now.Store(time.Now().UnixNano())
	var err error
	if c.meta, err = c.dir.Create(context.Background(), layout.Settings{SegmentBytes: segmentBytes, Mode: 0o600, Retention: clockRetention}); err != nil {
		return nil, err
	}
	if c.stays, err = c.open(); err != nil {
		return nil, err
	}
	if c.src, err = reader.NewSource(c.dir, c.meta); err != nil {
		return nil, err
	}
	c.reads, err = reader.NewReader(c.src, reader.Options{Until: reader.Unbounded})
	return c, err
}

func (c *clocked) open() (*writer.Writer, error) {
	return writer.Open(context.Background(), c.dir, c.meta, writer.Options{
		Logger: slog.New(slog.DiscardHandler),
		Now:    func() time.Time { return time.Unix(0, c.now.Load()) },
	})
}

func (c *clocked) close() error {
	err := errors.Join(c.reads.Close(), c.src.Close(), c.stays.Close())
	if c.comes != nil {
		err = errors.Join(err, c.comes.Close())
	}
	return err
}

// jumps are how far the clock is stepped; 0: as far as it is ahead of the log's
// times, or behind.
var jumps = []time.Duration{
	24 * time.Hour, -time.Hour, -time.Hour, time.Hour, -25 * time.Hour, 4 * time.Hour, 0, time.Minute, -time.Nanosecond,
}

// step steps the clock, appends for a while, with the clock going on, and judges
// the log.
func (c *clocked) step() error {
	jump := jumps[c.random.IntN(len(jumps))]
	if jump == 0 {
		c.now.Store(c.newest)
	}
	if jump < 0 {
		c.back++
	}
	c.now.Add(int64(jump))
	c.steps++
	for range 3 + c.random.IntN(20) {
		c.now.Add(int64(upTo(c.random, 10*time.Minute)))
		if err := c.append(1 + c.random.IntN(24_000)); err != nil {
			return err
		}
	}
	// Retention is at work after a roll. So one ends the step, by the clock as it is
	// then to stay.
	for rolled := false; !rolled; {
		before, err := c.src.End()
		if err != nil {
			return err
		}
		if err := c.append(30_000); err != nil {
			return err
		}
		bases, err := c.dir.Segments()
		if err != nil {
			return err
		}
		rolled = bases[len(bases)-1] >= before
	}
	if err := c.judge(); err != nil {
		return fmt.Errorf("clock step %d, by %v: %w", c.steps, jump, err)
	}
	return nil
}

// append appends by one of the two producers, and notes the time that the record
// must have: the clock's, unless an older record has a later one.
func (c *clocked) append(length int) error {
	w := c.stays
	if c.comes == nil {
		var err error
		if c.comes, err = c.open(); err != nil {
			return err
		}
	}
	switch c.random.IntN(5) {
	case 0, 1:
		w = c.comes
	case 2:
		if err := c.comes.Close(); err != nil {
			return err
		}
		c.comes = nil
	}
	offset, err := w.Append(context.Background(), []segment.Record{{Value: make([]byte, length)}})
	if err != nil {
		return err
	}
	c.newest = max(c.newest, c.now.Load())
	c.times[offset] = c.newest
	return nil
}

// judge compares the log with what must be in it.
func (c *clocked) judge() error {
	log, err := readAtRest(string(c.dir), c.keepsWhatItMust)
	if err != nil {
		return err
	}
	if log.Start < c.start {
		return fmt.Errorf("the log starts at %d, and started at %d before", log.Start, c.start)
	}
	if log.Start > c.start {
		c.dropped++
		if err := c.droppedRightly(log); err != nil {
			return err
		}
	}
	c.start, c.rolls = log.Start, log.Control.Rolls
	for _, r := range log.Records {
		if want, ok := c.times[r.Offset]; !ok || r.Time != want {
			return fmt.Errorf("offset %d has time %d, and %d is due (%v)", r.Offset, r.Time, want, ok)
		}
	}
	if err := c.follow(log); err != nil {
		return err
	}
	if err := c.lookUpTimes(log); err != nil {
		return err
	}
	kept := make(map[int64]int64)
	for offset, t := range c.times {
		if offset >= log.Start {
			kept[offset] = t
		}
	}
	c.times = kept
	return nil
}

// goes tells whether a segment that so many others follow, and after whose newest
// record nothing was appended before floor, is one that retention drops.
func (c *clocked) goes(followers int, floor int64) bool {
	return c.now.Load()-floor > int64(clockRetention.Age) || int64(followers+1)*segmentBytes > clockRetention.Bytes
}

// keepsWhatItMust is an error while the log has a segment that is to be dropped: a
// clock that was set back must not get retention stuck.
func (c *clocked) keepsWhatItMust(log *check.Log) error {
	n := len(log.Segments)
	if n > 1 && c.goes(n-1, log.Segments[1].Floor) {
		return fmt.Errorf("segment %d of %d is still there: its newest record is %v old",
			log.Start, n, time.Duration(c.now.Load()-log.Segments[1].Floor))
	}
	if len(log.Notes) > 0 {
		return fmt.Errorf("files that nothing explains: %q", log.Notes)
	}
	return nil
}

// droppedRightly is an error if the segment that was dropped last should not have
// been: a clock that was set forward must cost no more than what is old by it.
func (c *clocked) droppedRightly(log *check.Log) error {
	n, floor := len(log.Segments), log.Segments[0].Floor
	if !c.goes(n, floor) {
		return fmt.Errorf("the segment before %d was dropped: its newest record was %v old, and %d segments follow it",
			log.Start, time.Duration(c.now.Load()-floor), n)
	}
	return nil
}

// follow has the reader that stays read what is new.
func (c *clocked) follow(log *check.Log) error {
	var rec segment.Record
	for c.read < log.End {
		ok, err := c.reads.TryNext(&rec)
		if errors.Is(err, reader.ErrOutOfRange) {
			if err = c.reads.SkipDamage(); err == nil {
				c.read = c.reads.Offset()
				continue
			}
		}
		if err != nil || !ok {
			return fmt.Errorf("read offset %d of %d: %v, %w", c.read, log.End, ok, err)
		}
		// Retention may have come after the reader mapped what it dropped.
		if want, ok := c.times[rec.Offset]; rec.Offset != c.read || !ok || rec.Time.UnixNano() != want {
			return fmt.Errorf("a reader was given offset %d of time %d where offset %d of time %d is due",
				rec.Offset, rec.Time.UnixNano(), c.read, want)
		}
		c.read++
	}
	return nil
}

// lookUpTimes compares what the index finds with what a look at each record does.
func (c *clocked) lookUpTimes(log *check.Log) error {
	sought := []int64{0, c.now.Load(), c.newest, c.newest + 1, c.newest + int64(24*time.Hour)}
	for range 8 {
		sought = append(sought, log.Records[c.random.IntN(len(log.Records))].Time+c.random.Int64N(3)-1)
	}
	for _, t := range sought {
		want := log.End
		for _, r := range log.Records {
			if r.Time >= t {
				want = r.Offset
				break
			}
		}
		got, err := c.src.OffsetAt(time.Unix(0, t))
		if err != nil || got != want {
			return fmt.Errorf("the first record from time %d on is %d, and was said to be %d, %v", t, want, got, err)
		}
	}
	return nil
}
