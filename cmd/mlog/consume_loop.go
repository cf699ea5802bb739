package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/seed27ccf144/mlog/internal/fault"
	mlog "github.com/seed27ccf144/mlog/log"
)

// settleEvery bounds how many records go by before the loop looks for a signal
// and commits, for a format that prints next to nothing.
const settleEvery int64 = 64 << 10

// loop prints records until the end that was asked for. It settles whenever
// there is nothing to read, so that what is printed is seen at once and the
// committed offset is never far behind.
func (c *consumer) loop(ctx context.Context) error {
	for c.wanted() > 0 {
		more, err := c.printReady(min(c.wanted(), settleEvery))
		if err == nil {
			if err := c.settle(); err != nil || ctx.Err() != nil {
				return err
			}
			if more {
				continue
			}
			err = c.printNext(ctx)
		}
		if err != nil && !errors.Is(err, io.EOF) && !stopped(ctx, err) {
			err = c.stepOver(err)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
		}
		if err != nil {
			break
		}
	}
	return c.settle()
}

// wanted is how many records are still to be printed.
func (c *consumer) wanted() int64 {
	if c.num < 0 {
		return math.MaxInt64
	}
	return c.num - c.printed
}

// printReady prints records that are there, at most n and until the output is
// full. It reports false when there are no more.
func (c *consumer) printReady(n int64) (more bool, err error) {
	defer fault.Recover(fault.Guard(), &err) // as in printNext, but once for all of them
	for ; n > 0 && !c.out.full(); n-- {
		record, ok, err := c.reader.TryNext()
		if !ok || err != nil {
			return false, err
		}
		c.print(&record)
	}
	return true, nil
}

// printNext waits for a record and prints it. The record's slices are views into
// the mapped log; if a stranger cut the file under them this is where it shows, so
// faults become errors here.
func (c *consumer) printNext(ctx context.Context) (err error) {
	wait, cancel := c.patience(ctx)
	defer cancel()
	record, err := c.reader.Next(wait)
	if err != nil {
		if wait.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("%w: no record for %v", errTimeout, c.timeout)
		}
		return err
	}
	defer fault.Recover(fault.Guard(), &err)
	c.print(&record)
	return nil
}

func (c *consumer) print(record *mlog.Record) {
	c.out.buf = c.format.AppendTo(c.out.buf, record)
	c.next = record.Offset + 1
	c.printed++
}

// settle brings out what was printed, and only then commits it.
func (c *consumer) settle() error {
	if err := c.out.flush(); err != nil {
		return err
	}
	c.progress.tick(c.printed)
	if c.group == nil || c.next == c.committed {
		return nil
	}
	if err := c.group.Commit(c.next); err != nil {
		return fmt.Errorf("%w; offset %d is not committed", c.groupError(err), c.next)
	}
	c.committed = c.next
	return nil
}

// stepOver decides what a failed read means: an end (io.EOF if it is not a bad
// one), or with --on-damage skip a gap that is told and left behind.
func (c *consumer) stepOver(failure error) error {
	if err := c.settle(); err != nil {
		return err
	}
	gap := errors.Is(failure, mlog.ErrDamaged) || errors.Is(failure, mlog.ErrOutOfRange)
	if !c.skipDamage || !gap {
		return c.explain(failure)
	}
	from := c.reader.Offset()
	if err := c.reader.SkipDamage(); err != nil {
		if c.endHidden { // nothing is behind it: this is where the log ends for us
			c.std.notef("consume", "%v", failure)
			return io.EOF
		}
		return c.explain(fmt.Errorf("skip after %w: %w", failure, err))
	}
	c.next = c.reader.Offset()
	c.noteSkipped(from, c.next, failure)
	return nil
}
