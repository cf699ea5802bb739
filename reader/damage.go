package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/files"
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
	if fi, serr := files.Lstat(s.dir.Segment(base)); serr == nil && !fi.Mode().IsRegular() {
		bad, err = &segment.HeaderError{Reason: "something that is no regular file has the segment's name"}, nil
	}
	if err != nil && !errors.As(err, &bad) {
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
	bases, err := s.row()
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

// markerIsMissing reports whether the reader stands at the end of a segment behind
// which the log has gone on, so that an end marker must be here.
//
// A reader that keeps up asks this once a record, so it is one load; without a
// control file of this boot, when it takes many system calls, it is asked once for
// each place, until lookAgain.
func (r *Reader) markerIsMissing() bool {
	if r.ctl == nil {
		if r.quiet == r.at {
			return false
		}
		ctl, err := r.src.control()
		if err != nil {
			return false
		}
		if ctl == nil {
			torn, err := r.maybeTorn()
			if torn {
				r.quiet = r.at
			}
			// If a producer came meanwhile, what it wrote may begin just here.
			return !torn && err == nil && !r.at.v.Committed(r.at.position)
		}
		r.ctl = ctl
	}
	// The marker was committed before the word that we read, so a second look is
	// sure to see it.
	return int64(r.ctl.Active.Load()) > r.at.v.Base && !r.at.v.Committed(r.at.position)
}

// lookAgain forgets what may have changed while the reader waited.
func (r *Reader) lookAgain() { r.ctl, r.quiet = nil, place{} }

// lostBefore is the gap that a mark of lost records stands for.
func (r *Reader) lostBefore(f *segment.Frame) *gap {
	return &gap{resume: &resumption{r.at.v.Base, f.Next(), f.End()}, err: &segment.DamageError{
		Segment: segmentName(r.at.v), Position: f.Position, First: f.Base, Last: f.End() - 1,
		Reason: "these records were lost to damage, and repair has marked them so",
	}}
}

// examine decides what bytes that do not verify are. If all that can have stood
// there is the end marker, since the next segment begins just with the offset that
// is due, nothing is lost and next is true. After a reboot, before any producer has
// come, they may be the torn end of the log: then there is no gap, and the reader
// waits for the recovery, or looks again if that is over.
func (r *Reader) examine(bad error) (next bool, g *gap, err error) {
	ctl, err := r.src.control()
	if err != nil {
		return false, nil, err
	}
	if ctl == nil {
		if torn, err := r.maybeTorn(); torn || err != nil {
			return false, nil, err
		}
	}
	if base, ok := r.src.baseAfter(r.at.v.Base); ok && base == r.at.base {
		return true, nil, nil
	}
	// The bad bytes were read before we knew whether a producer had come. One may have
	// come in between and recovered the log: then they are gone by now. A missing end marker is
	// another matter: the segment is sealed, and nobody will write there any more.
	var f segment.Frame
	if !errors.Is(bad, segment.ErrNoFrame) {
		if again := r.at.v.Read(r.at.position, r.at.base, &f); again == nil || errors.Is(again, segment.ErrNoFrame) {
			return false, nil, nil
		}
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
	} else if errors.Is(bad, segment.ErrNoFrame) {
		e.Reason = "the end marker is missing"
	}
	// Not back to a segment that begins before what was handed out, as one does if
	// a hostile producer's batch promised more offsets than are its.
	g = r.src.gapUntilNextSegment(e, max(r.at.v.Base, r.at.base-1))
	budget := r.at.v.ResyncBudget()
	if r.at.v.Resync(r.at.position, r.at.base, &f, &budget) {
		g.resume = &resumption{r.at.v.Base, f.Position, f.Base}
	}
	if g.resume != nil {
		e.Last = g.resume.offset - 1
	} else { // nothing behind it verifies; the tail still says how much was there
		e.Last = max(e.Last, r.at.v.Base+r.at.v.Tail().Count-1)
	}
	return false, g, nil
}

// maybeTorn reports whether nothing at or behind the reader's place was ever
// promised to be on disk.
func (r *Reader) maybeTorn() (bool, error) {
	if r.at.position < r.at.v.Durable().Position {
		return false, nil
	}
	marked, err := r.src.lastMarked()
	if err != nil {
		if ofSystem(err) {
			return false, err
		}
		return false, nil
	}
	defer r.src.release(marked)
	return marked == nil || marked.Base <= r.at.v.Base, nil
}

// ofSystem reports whether err is of the system, such as a want of descriptors or
// a disk that does not read, and so says nothing of what a file holds. That a
// file is missing does.
func ofSystem(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist)
}

// missingSegment says what it means that the segment in which the log goes on
// cannot be had.
func (r *Reader) missingSegment(base int64, err error) (*gap, error) {
	if !r.src.isLost(base, err) {
		err = r.src.unusable(base, err)
		if !errors.Is(err, segment.ErrDamaged) {
			return nil, err
		}
		return r.src.gapUntilNextSegment(err, base), nil
	}
	bases, err := r.src.row()
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
	if lost, err := r.nameWasLost(base); lost || err != nil {
		return nil, err
	}
	next, _ := r.src.baseAfter(base)
	return r.src.gapUntilNextSegment(&segment.DamageError{
		Segment: layout.SegmentName(base), First: base, Last: next - 1, Reason: "the segment file is missing",
	}, base), nil
}

// nameWasLost reports whether the segment that is missing behind the reader may
// have lost its name to a power loss that later names survived: nobody has
// recovered the log yet, and nothing from there on is known to be on disk.
func (r *Reader) nameWasLost(base int64) (bool, error) {
	if ctl, err := r.src.control(); ctl != nil || err != nil || knownOnDisk(r.at.v, base) {
		return false, err
	}
	return r.maybeTorn()
}

func segmentName(v *view) string { return layout.SegmentName(v.Base) }

func checkPoison(ctl *control.Control) error {
	if ctl == nil {
		return nil
	}
	return ctl.CheckPoison()
}
