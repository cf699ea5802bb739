package log

import (
	"context"
	"errors"

	"github.com/seed27ccf144/mlog/writer"
)

// TrimOptions say which of the oldest segments Trim drops. A segment goes if any
// of the fields says so; a zero field says nothing.
type TrimOptions struct {
	// Before drops the segments all of whose records lie before this place. An
	// offset past the end of the log is a *RangeError; one before its start drops
	// nothing.
	Before Position

	// Keep drops what it does not keep, as the setting that is stored with the log
	// would. That one stays as it is.
	Keep Retention
}

// A TrimResult says what a Trim dropped.
type TrimResult struct {
	Segments    int   // that this call removed
	Bytes       int64 // that their files had
	Freed       int64 // of disk: Bytes without what is kept for the next segments, see Trim
	StartOffset int64 // where the log starts now
}

// Trim drops the oldest segments of the log, now. It goes by whole segments, and
// the newest one always stays, so records that it was asked to drop may be left.
//
// Other processes may append and read meanwhile. A reader that is in a dropped
// segment reads that to its end, and one that comes to offsets that are gone gets
// a *RangeError. Groups do not hold Trim back. With an error the result says what
// was dropped before.
//
// Files of dropped segments may be kept for the next ones: one, or a quarter as many as
// the log then has segments if that is more, four at most. What is in excess of that is
// removed, so Freed may be more than Bytes too. What a reader has mapped takes room
// until it goes on; what a producer of another process has, until that begins its next
// segment, or for about a second.
//
// It makes this process a producer, as Writer does.
func (l *Log) Trim(ctx context.Context, opts TrimOptions) (TrimResult, error) {
	if opts == (TrimOptions{}) {
		return TrimResult{}, errors.New("trim: the options do not say what to drop")
	}
	if err := opts.Keep.Check(); err != nil {
		return TrimResult{}, err
	}
	w, err := l.producer(ctx) // first, since the end of a log of an earlier boot is unknown before
	if err != nil {
		return TrimResult{}, err
	}
	limits := writer.Limits{Retention: opts.Keep}
	if opts.Before != (Position{}) {
		if limits.Before, err = l.placeToTrim(opts.Before); err != nil {
			return TrimResult{}, err
		}
	}
	dropped, freed, err := w.Trim(ctx, limits)
	result := TrimResult{Segments: dropped, Bytes: int64(dropped) * l.meta.SegmentBytes, Freed: int64(freed) * l.meta.SegmentBytes}
	start, serr := l.StartOffset()
	result.StartOffset = start
	if err == nil {
		err = serr
	}
	return result, public(err)
}

// placeToTrim returns the offset that p stands for, unless it is past the end.
func (l *Log) placeToTrim(p Position) (int64, error) {
	offset, err := l.resolve(p, false)
	if err != nil {
		return 0, err
	}
	end, err := l.readableEnd()
	if err != nil {
		return 0, err
	}
	if offset <= end {
		return offset, nil
	}
	start, err := l.StartOffset()
	if err != nil {
		return 0, err
	}
	return 0, &RangeError{Requested: offset, Start: start, End: end}
}

// readableEnd returns the log's end or, where damage hides that, the end of what
// can be read before the damage.
func (l *Log) readableEnd() (int64, error) {
	end, err := l.EndOffset()
	var damage *DamageError
	if errors.As(err, &damage) {
		return damage.First, nil
	}
	return end, err
}
