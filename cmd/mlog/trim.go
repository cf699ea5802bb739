package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed27ccf144/mlog/internal/bytesize"
	"github.com/seed27ccf144/mlog/internal/humanduration"
	"github.com/seed27ccf144/mlog/internal/offsetspec"
	mlog "github.com/seed27ccf144/mlog/log"
)

type trimOptions struct {
	before *offsetspec.Bound // nil: not given
	keep   mlog.Retention
}

func newTrim() *command {
	c := &command{
		name: "trim", args: "DIR", argKind: argDir, minArgs: 1, maxArgs: 1,
		summary: "drop the oldest segments now",
		examples: []string{
			`mlog trim orders --before 5000         # segments that hold nothing from offset 5000 on`,
			`mlog trim orders --before @-7d         # segments that hold nothing of the last week`,
			`mlog trim orders --retain-bytes 1GiB   # all but the newest GiB`,
			`mlog trim orders --before end          # all but the newest segment`,
		},
		details: `Whole segments are dropped, the oldest first, while others may append and read;
'mlog info' says how big one is. So of the records that trim was asked to drop
those stay that share a segment with one to be kept, and the newest segment stays
as it is. Of several flags each drops what it says.

A place is start, end, N, -N, +N or @TIME, as for 'mlog consume -o'. One before the
start of the log drops nothing; one past its end is an error (exit 4).

What is stored with the log for the future does not change: that is what the flags
of the same names of 'mlog produce' are for. A consumer or group that still wants
records that are gone is told where the log starts.`,
		flags: newFlags("trim"),
	}
	var before string
	var o trimOptions
	f := c.flags
	f.StringVar(&before, "before", "", "drop segments with records before `OFFSET` only, or @TIME")
	f.Var((*bytesize.Flag)(&o.keep.Bytes), "retain-bytes", "drop segments beyond the newest `SIZE`")
	f.Var((*humanduration.Flag)(&o.keep.Age), "retain-age", "drop segments older than `DURATION`")
	hideDefaults(f, "before", "retain-bytes", "retain-age")
	completeValues(f, "before", "end")
	c.run = func(std *streams, args []string) error {
		switch {
		case !f.Changed("before") && !f.Changed("retain-bytes") && !f.Changed("retain-age"):
			return usagef("nothing says what to drop; give --before, --retain-bytes or --retain-age")
		case f.Changed("retain-bytes") && o.keep.Bytes == 0:
			return usagef("--retain-bytes 0: must be more than 0; --before end drops all but the newest segment")
		case f.Changed("retain-age") && o.keep.Age == 0:
			return usagef("--retain-age 0: must be more than 0; --before end drops all but the newest segment")
		}
		if f.Changed("before") {
			b, err := parseBound("before", before)
			if err != nil {
				return err
			}
			o.before = &b
		}
		return trim(std, args[0], o)
	}
	return c
}

func trim(std *streams, dir string, o trimOptions) error {
	l, err := mlog.Open(dir, mlog.Options{MustExist: true, Logger: newLogger(std, "trim")})
	if err != nil {
		return openError(dir, err)
	}
	defer l.Close()
	// A producer recovers the log if the machine was restarted: until then nobody
	// knows where it ends.
	if _, err := l.Writer(mlog.WriterOptions{}); err != nil {
		return openError(dir, err)
	}
	options := mlog.TrimOptions{Keep: o.keep}
	if o.before != nil {
		if options.Before, err = positionOf(l, *o.before); err != nil {
			return err
		}
	}
	former, err := l.StartOffset()
	if err != nil {
		return err
	}
	result, err := l.Trim(context.Background(), options)
	if err != nil {
		return trimError(err, result)
	}
	if err := printAll(std.out, trimText(result, former)); err != nil {
		return err
	}
	return noteGroupsLeftBehind(std, l, dir, former, result.StartOffset)
}

func trimText(r mlog.TrimResult, former int64) string {
	if r.Segments == 0 {
		return fmt.Sprintf("nothing dropped: only whole segments are, and never the newest; the log starts at %d\n", r.StartOffset)
	}
	kept := ""
	if r.Freed < r.Bytes {
		kept = fmt.Sprintf(", of which %s is kept for the next segments", humanBytes(r.Bytes-r.Freed))
	}
	return fmt.Sprintf("dropped %s, %s%s; the log starts at %d instead of %d\n",
		counted(r.Segments, "segment"), humanBytes(r.Bytes), kept, r.StartOffset, former)
}

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// trimError says what can be done, and what was dropped before.
func trimError(err error, r mlog.TrimResult) error {
	var outside *mlog.RangeError
	if errors.As(err, &outside) {
		return outsideLog(outside, "before")
	}
	if r.Segments > 0 {
		return fmt.Errorf("%w; %s had been dropped before, the log starts at %d", err, counted(r.Segments, "segment"), r.StartOffset)
	}
	return err
}

// noteGroupsLeftBehind tells of the groups that want to go on at an offset that
// was dropped just now.
func noteGroupsLeftBehind(std *streams, l *mlog.Log, dir string, former, start int64) error {
	groups, _, err := l.Groups()
	if err != nil {
		return err
	}
	for _, g := range groups {
		if former <= g.Committed && g.Committed < start {
			std.notef("trim", "group %s has not read offsets %d to %d, which are gone; 'mlog groups %s seek %s --to start --execute' takes it to %d",
				g.Name, g.Committed, start-1, dir, g.Name, start)
		}
	}
	return nil
}
