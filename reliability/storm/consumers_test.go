//go:build unix

package storm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

func consumeFrom(options mlog.ReaderOptions) role {
	return func(stay context.Context, j job, r *report) error {
		l, err := mlog.Open(j.Dir, j.Options)
		if err != nil {
			return err
		}
		reader, err := openAt(l, j, options)
		if err != nil {
			return err
		}
		if err := r.add(entry{Kind: opened, Offset: reader.Offset()}); err != nil {
			return err
		}
		c := &consumer{job: j, log: l, reader: reader, report: r, durable: options.Durable}
		if j.Role == "laggard" {
			c.taken = c.lag(stay)
		}
		err = c.follow(stay)
		if err == nil {
			err = c.catchUp()
		}
		return errors.Join(err, r.flush(), reader.Close(), l.Close())
	}
}

// A consumer reads, proves each record to be one that was sent, and notes it.
type consumer struct {
	job     job
	log     *mlog.Log
	reader  *mlog.Reader
	report  *report
	durable bool
	taken   func(next int64) error // after each record; may be nil
}

// follow reads until stay ends.
func (c *consumer) follow(stay context.Context) error {
	for stay.Err() == nil {
		rec, ok, err := c.reader.TryNext()
		if err == nil && !ok {
			if err := c.report.flush(); err != nil {
				return err
			}
			rec, err = c.reader.Next(stay)
			if errors.Is(err, context.Canceled) {
				return nil
			}
		}
		if err := c.take(rec, err); err != nil {
			return err
		}
	}
	return nil
}

// catchUp reads what is left, the producers being gone.
func (c *consumer) catchUp() error {
	for {
		rec, ok, err := c.reader.TryNext()
		if err == nil && !ok {
			return nil
		}
		if err := c.take(rec, err); err != nil {
			return err
		}
	}
}

const heldEntries = 256

func (c *consumer) take(rec mlog.Record, err error) error {
	if errors.Is(err, mlog.ErrOutOfRange) {
		for errors.Is(err, mlog.ErrOutOfRange) { // retention may be quicker once more
			err = c.skipLost()
		}
		if err != nil {
			return err
		}
		return c.report.add(entry{Kind: jumped, Offset: c.reader.Offset()})
	}
	if err != nil {
		return err
	}
	id, err := identify(c.job.Nonce, rec)
	if err != nil {
		return fmt.Errorf("offset %d: %w", rec.Offset, err)
	}
	if c.durable {
		if d, err := c.log.DurableOffset(); err != nil || rec.Offset >= d {
			return fmt.Errorf("offset %d was handed out as durable, and the log is durable to %d: %w", rec.Offset, d, err)
		}
	}
	c.report.hold(entry{
		Kind: seen, Stream: id.Stream, Index: id.Index, Count: id.Count, Producer: id.Producer,
		Offset: rec.Offset, Seq: id.Seq,
	})
	if len(c.report.held) >= heldEntries*entryBytes {
		if err := c.report.flush(); err != nil {
			return err
		}
	}
	if c.taken != nil {
		return c.taken(rec.Offset + 1)
	}
	return nil
}

// lag has a consumer wait, now and then, until its place may be gone.
func (c *consumer) lag(stay context.Context) func(int64) error {
	random := rand.New(rand.NewPCG(c.job.Seed, 0))
	return func(next int64) error {
		if random.IntN(200) > 0 {
			return nil
		}
		for began := time.Now(); stay.Err() == nil && time.Since(began) < mostLag; pause(stay, 2*time.Millisecond) {
			if first, err := firstSegment(c.job.Dir); err != nil || first > next {
				// The segment in which it stands stays with it. The next one must be gone.
				pause(stay, upTo(random, mostLag/4))
				return err
			}
		}
		return nil
	}
}

const mostLag = 400 * time.Millisecond

// groupName is that of the group of this number.
func groupName(n int) string { return "crew-" + strconv.Itoa(n) }

// consumeInGroup is a member of a group: it waits to be the active one, goes on
// where the one before committed, and commits now and then.
func consumeInGroup(stay context.Context, j job, r *report) error {
	random := rand.New(rand.NewPCG(j.Seed, 0))
	l, err := mlog.Open(j.Dir, j.Options)
	if err != nil {
		return err
	}
	g, err := l.Group(groupName(int(j.ID) % j.Groups))
	if err != nil {
		return err
	}
	if err := g.Join(stay); err != nil {
		if errors.Is(err, context.Canceled) {
			return errors.Join(g.Close(), l.Close())
		}
		return err
	}
	reader, err := openWhereCommitted(l, g, j, r)
	if err != nil {
		return err
	}
	c := &consumer{job: j, log: l, reader: reader, report: r, taken: func(next int64) error {
		if random.IntN(50) > 0 {
			return nil
		}
		if err := r.add(entry{Kind: committing, Offset: next}); err != nil {
			return err
		}
		if err := g.Commit(next); err != nil {
			return err
		}
		return r.add(entry{Kind: committed, Offset: next, End: now()})
	}}
	return errors.Join(c.follow(stay), r.flush(), reader.Close(), g.Close(), l.Close())
}

// openWhereCommitted opens a new member's reader, at the start if nothing was
// committed or retention was quicker.
func openWhereCommitted(l *mlog.Log, g *mlog.Group, j job, r *report) (*mlog.Reader, error) {
	start := mlog.ReaderOptions{From: mlog.Start()}
	offset, ok := g.Committed()
	if !ok {
		if err := r.add(entry{Kind: joined, Offset: -1, Begin: now()}); err != nil {
			return nil, err
		}
		reader, err := openAt(l, j, start)
		if err != nil {
			return nil, err
		}
		return reader, r.add(entry{Kind: opened, Offset: reader.Offset()})
	}
	if err := r.add(entry{Kind: joined, Offset: offset, Begin: now()}); err != nil {
		return nil, err
	}
	reader, err := l.Reader(mlog.ReaderOptions{From: mlog.At(offset)})
	if !errors.Is(err, mlog.ErrOutOfRange) {
		return reader, err
	}
	if reader, err = openAt(l, j, start); err != nil {
		return nil, err
	}
	return reader, r.add(entry{Kind: jumped, Offset: reader.Offset()})
}
