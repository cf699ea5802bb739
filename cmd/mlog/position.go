package main

import (
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/internal/offsetspec"
	mlog "github.com/seed27ccf144/mlog/log"
)

// parseBound reads the flag of a command that wants one place in the log.
func parseBound(flag, text string) (offsetspec.Bound, error) {
	b, err := offsetspec.ParseBound(text, time.Now())
	if err != nil {
		return b, usagef("--%s: %v", flag, err)
	}
	if b.Kind == offsetspec.Stored {
		return b, usagef("--%s %s: accepted are start, end, N, -N, +N and @TIME", flag, text)
	}
	return b, nil
}

// positionOf returns the bound as a place of the log. What moves along with the
// log is left to be found at the time when the position is used.
func positionOf(l *mlog.Log, b offsetspec.Bound) (mlog.Position, error) {
	switch b.Kind {
	case offsetspec.Start:
		return mlog.Start(), nil
	case offsetspec.End:
		return mlog.End(), nil
	case offsetspec.Time:
		return mlog.AtTime(b.Time), nil
	}
	offset, err := resolveNow(l, b)
	return mlog.At(offset), err
}

// resolveNow returns the offset that the bound is at this moment.
func resolveNow(l *mlog.Log, b offsetspec.Bound) (int64, error) {
	start, err := l.StartOffset()
	if err != nil {
		return 0, err
	}
	end, err := l.EndOffset()
	if err != nil {
		return 0, err
	}
	return b.Resolve(start, end, l.OffsetAt)
}

// outsideLog says what can be done about an offset that is not in the log.
func outsideLog(e *mlog.RangeError, flag string) error {
	if e.Requested < e.Start {
		return fmt.Errorf("offset %d is no longer in the log, which starts at %d; use --%s start%w", e.Requested, e.Start, flag, silent{e})
	}
	return fmt.Errorf("offset %d is past the end of the log, which ends at %d; use --%s end%w", e.Requested, e.End, flag, silent{e})
}
