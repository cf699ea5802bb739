package log

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/seed27ccf144/mlog/reader"
)

// A Position is a place in a log. The zero Position leaves the choice to the
// default of where it is used.
type Position struct {
	kind   positionKind
	offset int64
	time   time.Time
}

type positionKind int

const (
	unset positionKind = iota
	start
	end
	exact
	byTime
)

// Start is the oldest record that is kept.
func Start() Position { return Position{kind: start} }

// End is behind the newest record: at the time when the position is used, not at
// the time of this call. For a reader of durable records it is behind the newest
// durable one.
func End() Position { return Position{kind: end} }

// At is the record with this offset.
func At(offset int64) Position { return Position{kind: exact, offset: offset} }

// AtTime is the first record that was appended at t or later.
func AtTime(t time.Time) Position { return Position{kind: byTime, time: t} }

// ReaderOptions say what a Reader reads. The zero value reads from the start and
// follows the log.
//
// From some two million records a second on, until fewer than 1.4 million come, a reader
// that keeps up is a few microseconds behind, so as not to slow the producer down; not
// with Spin.
type ReaderOptions struct {
	From    Position // the first record; by default Start
	Until   Position // the record to end before; by default there is no end
	Durable bool     // hand out records only once they survive power loss
	Spin    bool     // burn a core while waiting, for the least latency
}

// resolve returns the offset that p stands for.
func (l *Log) resolve(p Position, durable bool) (int64, error) {
	switch p.kind {
	case start:
		return l.StartOffset()
	case end:
		if durable {
			return l.DurableOffset()
		}
		return l.EndOffset()
	case byTime:
		return l.OffsetAt(p.time)
	}
	return p.offset, nil
}

// A Reader hands out records in the order of their offsets. It is for one
// goroutine at a time; have as many readers as you like.
//
// The slices of a record are views into the log, valid until the next call on
// the reader that returned it.
type Reader struct {
	r       *reader.Reader
	l       *Log
	durable bool
	came    Record // what the last call had to wait for, or at least to look for
}

// Next returns the next record, waiting for it if need be. The error is io.EOF
// at Until, that of ctx, a *RangeError when retention was quicker than the
// reader, or a *DamageError; after either of the last two SkipDamage goes on.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	rec, err := r.next(ctx)
	return *rec, err
}

// next is Next without the copy. So Next is small enough to become part of its
// caller, and a record is copied once on its way, straight to where that wants it.
func (r *Reader) next(ctx context.Context) (*Record, error) {
	if rec := r.r.Ahead(); rec != nil {
		return rec, nil
	}
	return r.wait(ctx)
}

func (r *Reader) wait(ctx context.Context) (*Record, error) {
	if err := r.r.Next(ctx, &r.came); err != nil {
		r.came = Record{}
		return &r.came, public(err)
	}
	return &r.came, nil
}

// TryNext is Next without waiting: it reports false if there is no record now.
func (r *Reader) TryNext() (Record, bool, error) {
	if rec := r.r.Ahead(); rec != nil {
		return *rec, true, nil
	}
	return r.tryNext()
}

func (r *Reader) tryNext() (rec Record, ok bool, err error) {
	ok, err = r.r.TryNext(&rec)
	return rec, ok, public(err)
}

// Records iterates over the records, waiting for each. The iteration ends
// without an error at Until; any other error, that of ctx included, comes as the
// last pair.
func (r *Reader) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			rec, err := r.Next(ctx)
			if errors.Is(err, io.EOF) || !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Offset returns the offset of the record that Next will return.
func (r *Reader) Offset() int64 { return r.r.Offset() }

// Seek moves the reader; the zero Position is Start. On an error, a *RangeError
// for instance, the reader stays where it is.
func (r *Reader) Seek(p Position) error {
	return r.l.seek(p, r.durable, func(offset int64, oldest bool) error {
		if oldest {
			return r.r.SeekToOldest()
		}
		return r.r.SeekTo(offset)
	})
}

// SkipDamage steps over what the last call reported: behind the Last offset of a
// *DamageError, or to the log's start as it is now after a *RangeError. It is an error if
// there was no such report, or if nothing is behind the damage yet.
func (r *Reader) SkipDamage() error { return public(r.r.SkipDamage()) }

// Close gives up what the reader has mapped. Records it returned become invalid.
func (r *Reader) Close() error { return r.r.Close() }
