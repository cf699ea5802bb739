package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/seed27ccf144/mlog/internal/offsetspec"
	mlog "github.com/seed27ccf144/mlog/log"
)

// noEnd stands for a range without an end.
const noEnd = -1

// offsetFlag is --offset. Two of them make a range if they are kcat's s@ and e@;
// otherwise the later one would win without a word.
type offsetFlag struct {
	text  *string
	given bool
}

func (o *offsetFlag) String() string {
	if o.text == nil {
		return ""
	}
	return *o.text
}

func (*offsetFlag) Type() string { return "string" }

func (o *offsetFlag) Set(s string) error {
	if !o.given {
		*o.text, o.given = s, true
		return nil
	}
	side := func(s string) string {
		if side, _, ok := strings.Cut(s, "@"); ok && !strings.Contains(s, ",") && (side == "s" || side == "e") {
			return side
		}
		return ""
	}
	first, second := side(*o.text), side(s)
	if first == "" || second == "" || first == second {
		return fmt.Errorf("it was given before, as %q; only s@TIME and e@TIME go together", *o.text)
	}
	*o.text += "," + s
	return nil
}

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
		end, err = c.readableEnd()
	}
	return start, end, err
}

// readableEnd returns the log's end. Where damage hides it, that is as far as
// records can be had; what comes there is no end but damage, and is told by the
// reader that arrives.
func (c *consumer) readableEnd() (int64, error) {
	end, err := c.log.EndOffset()
	var damage *mlog.DamageError
	if errors.As(err, &damage) {
		c.endHidden = true
		return damage.First, nil
	}
	return end, err
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
	if c.endHidden && until >= end {
		return noEnd, nil // the damage ends it
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
	c.fromMoving = bound.Kind != offsetspec.Exact
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
	end, err := c.readableEnd()
	if err != nil {
		return 0, err
	}
	outside := &mlog.RangeError{Requested: from, Start: start, End: end}
	switch {
	case from < start && c.fromMoving:
		return start, nil
	case from > end, from < start && !c.skipDamage:
		return 0, c.explain(outside)
	case from < start:
		c.noteSkipped(from, start, outside)
		return start, nil
	}
	return from, nil
}

// openReader begins to read at from. Retention may have passed it since it was
// checked. A place that moves is then taken as what is left of it, the start of the log as it
// is now, without a word.
func (c *consumer) openReader(from, until int64) (*mlog.Reader, error) {
	o := mlog.ReaderOptions{From: mlog.At(from), Durable: c.durable, Spin: c.spin}
	if until != noEnd {
		o.Until = mlog.At(until)
	}
	r, err := c.log.Reader(o)
	var outside *mlog.RangeError
	gone := errors.As(err, &outside) && outside.Requested < outside.Start
	if gone && (c.skipDamage || c.fromMoving) {
		o.From = mlog.Start()
		if r, err = c.log.Reader(o); err == nil && !c.fromMoving {
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
		return fmt.Errorf("%v; --on-damage skip goes on behind it%w", damage, silent{err})
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
		return fmt.Errorf("%w: the groups of a log can be used by those whom its --mode lets read it", c.ofGroup(err))
	}
	if errors.Is(err, mlog.ErrIncompatible) && !strings.Contains(err.Error(), newerAdvice) {
		return fmt.Errorf("%w; %s", c.ofGroup(err), newerAdvice)
	}
	return c.ofGroup(err)
}

// ofGroup names the group, unless the error does so already.
func (c *consumer) ofGroup(err error) error {
	name := "group " + c.groupName + ": "
	if strings.HasPrefix(err.Error(), name) {
		return err
	}
	return fmt.Errorf("%s%w", name, err)
}
