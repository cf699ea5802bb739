package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/seed27ccf144/mlog/internal/fault"
	mlog "github.com/seed27ccf144/mlog/log"
)

// settleEvery bounds how many records go by before the loop looks for a signal
// and commits, for a format that prints next to nothing.
const settleEvery = 64 << 10

// loop prints records until the end that was asked for. It settles whenever
// there is nothing to read, so that what is printed is seen at once and the
// committed offset is never far behind.
func (c *consumer) loop(ctx context.Context) error {
	for sinceSettled := 0; c.num < 0 || c.printed < c.num; {
		record, err := c.nextRecord(ctx)
		if errors.Is(err, io.EOF) || stopped(ctx, err) {
			break
		}
		if err != nil {
			err = c.stepOver(err)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := c.print(&record); err != nil {
			return errors.Join(c.settle(), err)
		}
		c.next = record.Offset + 1
		c.printed++
		if sinceSettled++; c.out.full() || sinceSettled >= settleEvery {
			sinceSettled = 0
			if err := c.settle(); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
		}
	}
	return c.settle()
}

// nextRecord returns the next record, and settles first if that means waiting.
func (c *consumer) nextRecord(ctx context.Context) (mlog.Record, error) {
	record, ok, err := c.reader.TryNext()
	if ok || err != nil {
		return record, err
	}
	if err := c.settle(); err != nil {
		return record, err
	}
	wait, cancel := c.patience(ctx)
	defer cancel()
	record, err = c.reader.Next(wait)
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		return record, fmt.Errorf("%w: no record for %v", errTimeout, c.timeout)
	}
	return record, err
}

// print appends the record to the output. The record's slices are views into
// the mapped log; if a stranger cut the file under them this is where it
// shows, so faults become errors here.
func (c *consumer) print(record *mlog.Record) (err error) {
	defer fault.Recover(fault.Guard(), &err)
	c.out.buf = c.format.AppendTo(c.out.buf, record)
	return nil
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
