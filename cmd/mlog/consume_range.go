package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/seed27ccf144/mlog/internal/offsetspec"
	mlog "github.com/seed27ccf144/mlog/log"
)

// noEnd stands for a range without an end.
const noEnd = -1

// parseRange reads --offset, and makes --exit-eof the end of the range.
func (o *consumeOptions) parseRange(now time.Time) (offsetspec.Range, error) {
	if o.offset == "" {
		return offsetspec.Range{}, usagef("--offset is empty: start, end, N, -N, N:M, @TIME or the like")
	}
	span, err := offsetspec.Parse(o.offset, now)
	if err != nil {
		return span, usagef("--offset: %v", err)
	}
	if span.From.Kind == offsetspec.Stored && o.groupName == "" {
		return span, usagef("--offset %s: it is the committed offset of a group; name the group with --group", o.offset)
	}
	return span, nil
}

// limits returns the first offset of the log and the one after the last that
// this consumer would be shown.
func (c *consumer) limits() (start, end int64, err error) {
	if start, err = c.log.StartOffset(); err != nil {
		return 0, 0, err
	}
	if c.durable {
		end, err = c.log.DurableOffset()
	} else {
		end, err = c.log.EndOffset()
	}
	return start, end, err
}

// resolveUntil returns the offset to stop before, or noEnd. The end of the log
// means the end as it is now.
func (c *consumer) resolveUntil(span offsetspec.Range) (int64, error) {
	bound := span.Until
	if bound.Kind == offsetspec.Unset && !c.exitEOF {
		return noEnd, nil
	}
	start, end, err := c.limits()
	if err != nil {
		return 0, err
	}
	until := end
	if bound.Kind != offsetspec.Unset {
		if until, err = bound.Resolve(start, end, c.log.OffsetAt); err != nil {
			return 0, err
		}
	}
	if c.exitEOF {
		until = min(until, end)
	}
	return until, nil
}

// resolveFrom returns the offset to begin at. A group begins where it stopped,
// unless --offset says where.
func (c *consumer) resolveFrom(span offsetspec.Range) (int64, error) {
	bound := span.From
	if c.group != nil && (!c.offsetGiven || bound.Kind == offsetspec.Unset || bound.Kind == offsetspec.Stored) {
		if committed, ok := c.group.Committed(); ok {
			c.fromGroup = true
			return c.checkFrom(committed)
		}
	}
	start, end, err := c.limits()
	if err != nil {
		return 0, err
	}
	if bound.Kind == offsetspec.Unset || bound.Kind == offsetspec.Stored {
		return start, nil
	}
	from, err := bound.Resolve(start, end, c.log.OffsetAt)
	if err != nil {
		return 0, err
	}
	return c.checkFrom(from)
}

// checkFrom refuses to begin outside the log. Before its start, --on-damage
// skip moves on to the start and says so.
func (c *consumer) checkFrom(from int64) (int64, error) {
	start, err := c.log.StartOffset()
	if err != nil {
		return 0, err
	}
	end, err := c.log.EndOffset()
	if err != nil {
		return 0, err
	}
	outside := &mlog.RangeError{Requested: from, Start: start, End: end}
	switch {
	case from > end, from < start && !c.skipDamage:
		return 0, c.explain(outside)
	case from < start:
		c.noteSkipped(from, start, outside)
		return start, nil
	}
	return from, nil
}

// openReader begins to read at from. Retention may have passed it since it was
// checked.
func (c *consumer) openReader(from, until int64) (*mlog.Reader, error) {
	o := mlog.ReaderOptions{From: mlog.At(from), Durable: c.durable, Spin: c.spin}
	if until != noEnd {
		o.Until = mlog.At(until)
	}
	r, err := c.log.Reader(o)
	if c.skipDamage && errors.Is(err, mlog.ErrOutOfRange) {
		o.From = mlog.Start()
		if r, err = c.log.Reader(o); err == nil {
			c.noteSkipped(from, r.Offset(), mlog.ErrOutOfRange)
		}
	}
	if err != nil {
		return nil, c.explain(err)
	}
	return r, nil
}

func (c *consumer) noteSkipped(from, to int64, why error) {
	c.std.notef("consume", "skipped offsets %d to %d: %v", from, to-1, why)
}

// explain adds to an error of the log what the user can do about it.
func (c *consumer) explain(err error) error {
	var outside *mlog.RangeError
	var damage *mlog.DamageError
	switch {
	case errors.As(err, &outside):
		return c.outOfRange(outside)
	case errors.As(err, &damage):
		return fmt.Errorf("damage in %s at position %d: offsets %d to %d cannot be read (%s); --on-damage skip goes on behind it%w",
			damage.Segment, damage.Position, damage.First, damage.Last, damage.Reason, silent{err})
	}
	return err
}

func (c *consumer) outOfRange(e *mlog.RangeError) error {
	where := fmt.Sprintf("offset %d", e.Requested)
	if c.fromGroup {
		where = fmt.Sprintf("offset %d, committed by group %s,", e.Requested, c.groupName)
	}
	if e.Requested < e.Start {
		return fmt.Errorf("%s is no longer in the log, which starts at %d; use -o start or --on-damage skip%w", where, e.Start, silent{e})
	}
	return fmt.Errorf("%s is past the end of the log, which ends at %d; use -o end to wait for new records%w", where, e.End, silent{e})
}

// groupError explains what went wrong with a group.
func (c *consumer) groupError(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("group %s: %w: the groups of a log can be used by those whom its --mode lets read it", c.groupName, err)
	}
	return fmt.Errorf("group %s: %w", c.groupName, err)
}
