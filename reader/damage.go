package reader

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A gap is what a reader met and cannot read, with where it may go on.
type gap struct {
	err    error
	resume *resumption // nil when there is nothing behind the gap yet
}

// A resumption is the place of the first batch behind a gap.
type resumption struct {
	segment  int64 // base offset
	position int64
	offset   int64
}

// gapUntilNextSegment is the gap that ends where the segment behind offset
// begins.
func (s *Source) gapUntilNextSegment(err error, offset int64) *gap {
	base, ok := s.baseAfter(offset)
	if !ok {
		return &gap{err: err}
	}
	return &gap{err: err, resume: &resumption{base, segment.HeaderBytes, base}}
}

// unusable is the error of a segment file that cannot be mapped.
func (s *Source) unusable(base int64, err error) error {
	var bad *segment.HeaderError
	if errors.Is(err, fs.ErrNotExist) {
		return missingFile(base)
	}
	if errors.Is(err, segment.ErrDamaged) || errors.Is(err, layout.ErrIncompatible) {
		return err
	}
	if !errors.As(err, &bad) {
		return fmt.Errorf("segment %s: %w", layout.SegmentName(base), err)
	}
	if bad.Version {
		return fmt.Errorf("segment %s: %w: %s; use a newer mlog", layout.SegmentName(base), layout.ErrIncompatible, bad.Reason)
	}
	last := base - 1
	if next, ok := s.baseAfter(base); ok {
		last = next - 1
	}
	return &segment.DamageError{Segment: layout.SegmentName(base), First: base, Last: last, Reason: bad.Reason}
}

// baseAfter returns the base offset of the first segment behind an offset.
func (s *Source) baseAfter(offset int64) (int64, bool) {
	bases, err := s.dir.Segments()
	if err != nil {
		return 0, false
	}
	for _, base := range bases {
		if base > offset {
			return base, true
		}
	}
	return 0, false
}

// examine decides what bytes that do not verify are. After a reboot, before any
// producer has come, they may be the torn end of the log: then there is no gap,
// and the reader waits for the recovery.
func (r *Reader) examine(bad error) *gap {
	if ctl, _ := r.src.control(); ctl == nil && r.maybeTorn() {
		return nil
	}
	e := &segment.DamageError{
		Segment:  segmentName(r.at.v),
		Position: r.at.position,
		First:    r.at.base,
		Last:     r.at.base - 1,
		Reason:   bad.Error(),
	}
	var frame *segment.BadFrameError
	if errors.As(bad, &frame) {
		e.Reason = frame.Reason
	}
	g := r.src.gapUntilNextSegment(e, r.at.v.Base)
	var f segment.Frame
	if r.at.v.Resync(r.at.position, r.at.base, &f) {
		g.resume = &resumption{r.at.v.Base, f.Position, f.Base}
	}
	if g.resume != nil {
		e.Last = g.resume.offset - 1
	} else { // nothing behind it verifies; the tail still says how much was there
		e.Last = max(e.Last, r.at.v.Base+r.at.v.Tail().Count-1)
	}
	return g
}

// maybeTorn reports whether nothing at or behind the reader's place was ever
// promised to be on disk.
func (r *Reader) maybeTorn() bool {
	if r.at.position < r.at.v.Durable().Position {
		return false
	}
	marked, err := r.src.lastMarked()
	if err != nil {
		return false
	}
	defer r.src.release(marked)
	return marked == nil || marked.Base <= r.at.v.Base
}

// missingSegment says what it means that the segment in which the log goes on
// cannot be had.
func (r *Reader) missingSegment(base int64, err error) (*gap, error) {
	if !errors.Is(err, fs.ErrNotExist) {
		err = r.src.unusable(base, err)
		if !errors.Is(err, segment.ErrDamaged) {
			return nil, err
		}
		return r.src.gapUntilNextSegment(err, base), nil
	}
	bases, err := r.src.dir.Segments()
	if err != nil {
		return nil, err
	}
	if len(bases) == 0 || bases[len(bases)-1] < base {
		ctl, err := r.src.control()
		if err != nil || ctl == nil && !knownOnDisk(r.at.v, base) {
			return nil, err // its name did not survive a power loss; recovery makes it anew
		}
		return &gap{err: missingFile(base)}, nil
	}
	if bases[0] > base {
		end, err := r.src.End()
		if err != nil {
			return nil, err
		}
		return r.src.gapUntilNextSegment(&RangeError{Requested: base, Start: bases[0], End: end}, base), nil
	}
	next, _ := r.src.baseAfter(base)
	return r.src.gapUntilNextSegment(&segment.DamageError{
		Segment: layout.SegmentName(base), First: base, Last: next - 1, Reason: "the segment file is missing",
	}, base), nil
}

func segmentName(v *view) string { return layout.SegmentName(v.Base) }

func checkPoison(ctl *control.Control) error {
	if ctl == nil {
		return nil
	}
	return ctl.CheckPoison()
}
