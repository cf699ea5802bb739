package reader

import (
	"errors"
	"fmt"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/segment"
)

// Unbounded as Options.Until means to follow the log for ever.
const Unbounded = -1

// Options say how a Reader reads.
type Options struct {
	From    int64 // offset of the first record
	Oldest  bool  // begin with the oldest record that is kept instead
	Until   int64 // offset after the last record, or Unbounded
	Durable bool  // hand out a record only when it is known to be on disk
	Spin    bool  // never sleep while waiting
}

// A Reader hands out the records of a log in order. It is used by one goroutine
// at a time.
type Reader struct {
	src  *Source
	opts Options

	at      place           // before the next batch to be read; no view: the log has no segment yet
	next    int64           // offset of the next record to hand out
	ahead   ahead           // what of the batches before at is verified and not handed out
	records segment.Records // what of the batch before at is not even decoded
	batch   place           // where that one begins
	durable int64           // the durable mark as last seen
	awaited int64           // end of the batch at at that is there but not durable; 0 if there is none
	gap     *gap            // what lies in the way, until it is stepped over
	torn    bool            // bytes at the log's end wait for a recovery
	pace    pace            // how it waits
	isReady func() bool     // of ready; made once, since a closure for each wait is an allocation
	closed  bool

	// What markerIsMissing knows already.
	ctl   *control.Control
	quiet place
}

// NewReader makes a reader that stands before the record that opts say.
func NewReader(s *Source, opts Options) (*Reader, error) {
	if err := s.Hold(); err != nil {
		return nil, err
	}
	r := &Reader{src: s, opts: opts, pace: newPace()}
	r.ahead.clear()
	r.isReady = func() bool {
		ready, err := r.ready()
		return ready || err != nil
	}
	seek := func() error { return r.SeekTo(opts.From) }
	if opts.Oldest {
		seek = r.SeekToOldest
	}
	if err := seek(); err != nil {
		s.Drop()
		return nil, err
	}
	return r, nil
}

// Close gives up what the reader has mapped. Its records become invalid.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.move(place{}, r.next)
	r.src.Drop()
	return nil
}

// Offset returns the offset of the next record.
func (r *Reader) Offset() int64 { return r.next }

// SeekTo makes the record with this offset the next one. On an error the reader
// stands where it stood.
func (r *Reader) SeekTo(offset int64) error {
	if r.closed {
		return ErrClosed
	}
	p, err := r.src.find(offset)
	return r.moveOr(err, p, offset)
}

// SeekToOldest makes the oldest record that is kept the next one, however quickly
// retention goes on. On an error the reader stands where it stood.
func (r *Reader) SeekToOldest() error {
	if r.closed {
		return ErrClosed
	}
	p, offset, err := r.src.oldest()
	return r.moveOr(err, p, offset)
}

// moveOr is move, unless err is of another kind than damage to the segment that holds the
// offset: before damage the reader stands, so that it can be stepped over.
func (r *Reader) moveOr(err error, p place, offset int64) error {
	if err == nil {
		r.move(p, offset)
		return nil
	}
	var damage *segment.DamageError
	if !errors.As(err, &damage) {
		return err
	}
	r.move(place{}, offset)
	r.gap = r.src.gapUntilNextSegment(err, offset)
	return nil
}

func (r *Reader) move(p place, next int64) {
	r.ahead.clear()
	r.records.Clear()
	r.pace.forget()
	r.src.release(r.at.v)
	r.at, r.batch = p, place{}
	r.next, r.gap, r.torn, r.awaited = next, nil, false, 0
}

// SkipDamage steps over what the last call reported: to the first record behind
// damage, or to the log start if the reader's place is gone. It is an error if
// nothing was reported, or if nothing is behind the damage yet.
func (r *Reader) SkipDamage() (err error) {
	defer fault.Recover(fault.Guard(), &err)
	if r.gap == nil || r.ahead.left() > 0 { // or not told of yet
		return errors.New("no damage to skip")
	}
	if IsGone(r.gap.err) {
		return r.skipToOldest()
	}
	if r.gap.resume == nil { // by now there may be something
		was := r.gap
		r.gap = nil
		if _, err := r.load(); err == nil {
			return nil // it was mended
		}
		if r.gap == nil {
			r.gap = was
		}
		if r.gap.err.Error() != was.err.Error() {
			return nil // more is lost than the caller was told: the next call says what
		}
	}
	to := r.gap.resume
	if to == nil {
		return fmt.Errorf("nothing behind the damage yet: %w", r.gap.err)
	}
	v, err := r.src.view(to.segment)
	if err != nil {
		gap, err := r.missingSegment(to.segment, err)
		if gap == nil {
			return err
		}
		if IsGone(gap.err) { // retention was quicker
			return r.skipToOldest()
		}
		r.gap = gap
		return gap.err
	}
	r.move(place{v: v, position: to.position, base: to.offset}, to.offset)
	return nil
}

// skipToOldest is SeekToOldest, but never back: where nothing is left of a log, its oldest
// record is none that the reader has not had.
func (r *Reader) skipToOldest() error {
	p, offset, err := r.src.oldest()
	if err != nil && !errors.Is(err, segment.ErrDamaged) {
		return err
	}
	if offset < r.next {
		r.src.release(p.v)
		if err == nil {
			err = r.gap.err
		}
		return fmt.Errorf("nothing behind the damage yet: %w", err)
	}
	return r.moveOr(err, p, offset)
}

// TryNext returns the next record if it is there. Its slices are views, valid
// until the next call. The error is io.EOF at the bound, a
// *segment.DamageError or a *RangeError; these stay until the reader is moved.
func (r *Reader) TryNext(rec *segment.Record) (ok bool, err error) {
	next := r.Ahead()
	if next == nil {
		if ok, err := r.refill(); !ok || err != nil {
			return false, err
		}
		next = r.Ahead()
	}
	*rec = *next
	return true, nil
}

// Ahead returns the next record if that is verified already, else nil: then
// TryNext tells. The record is valid until the next call.
func (r *Reader) Ahead() *segment.Record {
	a := &r.ahead
	if a.next >= a.end {
		return nil
	}
	rec := &a.records[uint(a.next)%maxAhead]
	a.next++
	r.next = rec.Offset + 1
	return rec
}

// malformed reports a batch that verifies but does not decode, from the offset due
// on.
func (r *Reader) malformed(err error, due int64) error {
	r.records.Clear()
	base := r.at.base
	r.gap = &gap{resume: &resumption{r.at.v.Base, r.at.position, base}, err: &segment.DamageError{
		Segment: segmentName(r.at.v), Position: r.at.position, First: due, Last: base - 1,
		Reason: "the batch before this position has a valid checksum but no valid content: " + err.Error(),
	}}
	return r.gap.err
}

// load makes the next batch the current one, if it is there.
func (r *Reader) load() (bool, error) {
	if r.closed || r.src.closed.Load() {
		return false, ErrClosed
	}
	if r.gap != nil {
		return false, r.gap.err
	}
	if r.at.v == nil {
		p, err := r.src.find(r.next)
		if errors.Is(err, ErrOutOfRange) || errors.Is(err, segment.ErrDamaged) {
			r.gap = r.src.gapUntilNextSegment(err, r.next)
		}
		if err != nil || p.v == nil {
			return false, err
		}
		r.at = p
	}
	var f segment.Frame
	for {
		err := r.at.v.Read(r.at.position, r.at.base, &f)
		switch {
		case errors.Is(err, segment.ErrNoFrame) && !r.markerIsMissing():
			r.torn = false
			return false, nil
		case err != nil:
			next, gap, xerr := r.examine(err)
			if xerr != nil {
				return false, xerr
			}
			if next {
				f.Base = r.at.base // as the end marker would say
				break
			}
			r.gap, r.torn = gap, gap == nil
			if r.torn {
				return false, nil
			}
			return false, r.gap.err
		case f.IsLost():
			if f.Count > 0 {
				r.gap = r.lostBefore(&f)
				return false, r.gap.err
			}
			r.at.position = f.Next()
			continue
		}
		if err != nil || f.IsEnd() {
			if ok, err := r.advance(f.Base); !ok || err != nil {
				return false, err
			}
			continue
		}
		if r.opts.Durable {
			if ok, err := r.isDurable(f.End()); !ok || err != nil {
				r.awaited = f.End()
				return false, err
			}
		}
		r.stepTo(f.Next(), f.End())
		r.records.Reset(&f)
		return true, nil
	}
}

// advance moves on to the segment behind the end marker.
func (r *Reader) advance(base int64) (bool, error) {
	if base < r.at.base {
		return false, &segment.DamageError{Segment: segmentName(r.at.v), Position: r.at.position, First: r.at.base, Last: r.at.base - 1,
			Reason: "the end marker points backwards"}
	}
	v, err := r.src.view(base)
	if err != nil {
		if r.gap, err = r.missingSegment(base, err); err != nil {
			return false, err
		}
		r.torn = r.gap == nil
		if r.torn {
			return false, nil
		}
		return false, r.gap.err
	}
	r.src.leave(r.at.v)
	r.at = place{v: v, position: segment.HeaderBytes, base: base}
	return true, nil
}

// isDurable reports whether all before the offset end is known to be on disk. A
// failed sync means that it never will be.
func (r *Reader) isDurable(end int64) (bool, error) {
	if r.durable >= end {
		return true, nil
	}
	durable, err := r.src.Durable()
	if err != nil {
		return false, err
	}
	if r.durable = durable; durable >= end {
		return true, nil
	}
	if ctl, err := r.src.control(); ctl != nil || err != nil {
		return false, errors.Join(err, checkPoison(ctl))
	}
	return false, nil
}
