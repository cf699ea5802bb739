package reader

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// ErrOutOfRange is what every RangeError is.
var ErrOutOfRange = errors.New("offset out of range")

// A RangeError says that an offset is not in the log: it was dropped by
// retention, or was never written.
type RangeError struct {
	Requested  int64
	Start, End int64 // the log start and end offsets at the time
}

func (e *RangeError) Error() string {
	if e.Requested < e.Start {
		return fmt.Sprintf("offset %d is gone: the log starts at offset %d", e.Requested, e.Start)
	}
	return fmt.Sprintf("offset %d is not there yet: the log ends at offset %d", e.Requested, e.End)
}

// Is makes errors.Is(err, ErrOutOfRange) true.
func (e *RangeError) Is(target error) bool { return target == ErrOutOfRange }

// IsGone reports whether err says that retention has dropped an offset.
func IsGone(err error) bool {
	var outside *RangeError
	return errors.As(err, &outside) && outside.Requested < outside.Start
}

// tail returns the last segment and where its committed batches end. The view is
// nil when the log has no segment yet.
//
// The producers' words lead there in one step, whatever the log holds. Without
// them, after a reboot, the walk begins at the last place that is known to be on
// disk, as recovery will; the cached tails may be ahead of what survived.
func (s *Source) tail() (*view, segment.Cursor, error) {
	const attempts = 100
	missing := int64(0)
	for range attempts {
		ctl, err := s.control()
		if err != nil {
			return nil, segment.Cursor{}, err
		}
		if ctl == nil {
			v, c, err := s.unrecoveredTail()
			if s.hasControl() { // a producer came meanwhile: what that looked at was in change
				s.release(v)
				continue
			}
			return v, c, err
		}
		active, err := ctl.ActiveBase()
		if err != nil {
			return nil, segment.Cursor{}, err
		}
		v, err := s.view(active)
		var c segment.Cursor
		if err == nil {
			v, c, err = s.walk(v, (*segment.Segment).Tail, false)
		}
		if err == nil {
			return v, c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, c, s.unusable(active, err)
		}
		missing = active
		// Producers may have rolled on since, and retention followed them.
	}
	return nil, segment.Cursor{}, missingFile(missing)
}

// missingFile is the damage that a segment's file is not there.
func missingFile(base int64) *segment.DamageError {
	return &segment.DamageError{Segment: layout.SegmentName(base), First: base, Last: base - 1, Reason: "the segment file is missing"}
}

// walk goes on from v to the last segment, scanning each from the place that from
// says. It takes v over. Where the name of a next segment may have been lost, the
// end marker before it counts as the end.
func (s *Source) walk(v *view, from func(*segment.Segment) segment.Cursor, nameMayBeLost bool) (*view, segment.Cursor, error) {
	for {
		var scan segment.Scan
		err := fault.Run(func() error {
			scan = v.Scan(from(v.Segment), nil)
			return nil
		})
		if err == nil && !scan.Sealed {
			return v, scan.End, nil
		}
		var next *view
		if err == nil {
			base := v.Base + scan.End.Count
			if next, err = s.view(base); err != nil && nameMayBeLost {
				if s.isLost(base, err) && !knownOnDisk(v, base) {
					return v, scan.End, nil
				}
				err = s.unusable(base, err)
			}
		}
		s.release(v)
		if err != nil {
			return nil, segment.Cursor{}, err
		}
		v = next
	}
}

// knownOnDisk reports whether v says that the segment behind it, with this base
// offset, has been on disk: then its absence is no name that a power loss took.
func knownOnDisk(v *view, base int64) (known bool) {
	err := fault.Run(func() error {
		known = v.Successor() == base
		return nil
	})
	return known && err == nil
}

// A place is where a reader stands: before the batch at Position, whose first
// record has the offset base.
type place struct {
	v        *view
	position int64
	base     int64
}

// find returns the place of the batch that holds the offset, or of the log's end
// if the offset is just that.
func (s *Source) find(offset int64) (place, error) {
	bases, err := s.row()
	if err != nil {
		return place{}, err
	}
	i, exact := slices.BinarySearch(bases, offset)
	if !exact {
		i--
	}
	if i < 0 {
		if len(bases) == 0 {
			if begin, err := s.emptyAt(); err != nil || begin == offset {
				return place{}, errors.Join(err, s.neverWritten())
			}
		}
		return place{}, s.outOfRange(offset)
	}
	v, err := s.view(bases[i])
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) { // retention was quicker
			return place{}, s.outOfRange(offset)
		}
		return place{}, s.unusable(bases[i], err)
	}
	p, err := s.scanTo(v, offset, func(e index.Entry) bool { return v.Base+e.Count <= offset },
		func(f *segment.Frame) bool { return f.End() <= offset })
	if err == nil && p.base > offset || err == nil && p.base < offset && !s.holds(p, offset) {
		err = s.outOfRange(offset)
	}
	if err != nil {
		s.release(v)
	}
	return p, err
}

// oldest returns the place of the oldest record that is kept, and its offset; in a log
// that has no segment yet, no place and the offset of the first record to come.
//
// The segments at the front of a list may be gone before they are opened, and where
// retention drops many in a row, each look at a directory that holds them all takes longer
// than a drop. So the list is followed to the first segment that is there still.
func (s *Source) oldest() (place, int64, error) {
	const attempts = 100
	var gone int64
	for range attempts {
		bases, err := s.row()
		if err != nil {
			return place{}, 0, err
		}
		if len(bases) == 0 {
			begin, err := s.emptyAt()
			return place{}, begin, errors.Join(err, s.neverWritten())
		}
		for _, base := range bases {
			v, err := s.view(base)
			if err == nil {
				return place{v: v, position: segment.HeaderBytes, base: base}, base, nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return place{}, base, s.unusable(base, err)
			}
			gone = base
		}
	}
	return place{}, gone, s.outOfRange(gone)
}

// neverWritten returns nil if a log in which no segment was found is one that no
// producer had opened then, and else the damage that it is.
//
// The first producer names its segment, and only then the control file. So where
// that is found, a segment must be in a list that is younger.
func (s *Source) neverWritten() error {
	if _, err := files.Lstat(s.dir.Control()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if bases, err := s.dir.Segments(); err != nil || len(bases) > 0 {
		return err
	}
	return &segment.DamageError{Segment: layout.SegmentName(0), Last: -1, Reason: "all segment files are missing"}
}

// holds reports whether the batch at p has a record with this offset.
func (s *Source) holds(p place, offset int64) bool {
	var f segment.Frame
	err := fault.Run(func() error { return p.v.Read(p.position, p.base, &f) })
	// Bytes that do not verify are for the reader to report, when it gets there.
	return err != nil && !errors.Is(err, segment.ErrNoFrame) || err == nil && f.End() > offset
}

func (s *Source) outOfRange(offset int64) error {
	start, err := s.Start()
	if err != nil {
		return err
	}
	end, err := s.End()
	if err != nil {
		return err
	}
	return &RangeError{Requested: offset, Start: start, End: end}
}

// scanTo returns the place of the first batch in v for which before is false, or
// of the end of v's batches. It begins where the index says that before still
// holds. Bytes that do not verify it steps over if what follows them shows that
// the batch looked for is not among them: before holds for that, or it begins at
// the offset sought or earlier. Else it stops at them, and the reader that goes
// there reports them.
func (s *Source) scanTo(v *view, sought int64, entryBefore func(index.Entry) bool, before func(*segment.Frame) bool) (p place, err error) {
	defer fault.Recover(fault.Guard(), &err)
	c := s.lookUp(v, entryBefore)
	p = place{v: v, position: c.Position, base: v.Base + c.Count}
	budget := v.ResyncBudget()
	var f segment.Frame
	for {
		err := v.Read(p.position, p.base, &f)
		if errors.Is(err, segment.ErrNoFrame) {
			return p, nil
		}
		if err != nil {
			if !v.Resync(p.position, p.base, &f, &budget) || !before(&f) && f.Base > sought {
				return p, nil
			}
			p.position, p.base = f.Position, f.Base
		}
		if f.IsEnd() || !before(&f) {
			return p, nil
		}
		p.position, p.base = f.Next(), f.End()
	}
}

// noOffset is what scanTo seeks when it seeks a time.
const noOffset = -1

// OffsetAt returns the offset of the first record that was appended at t or
// later, or the log end offset if there is none.
func (s *Source) OffsetAt(t time.Time) (int64, error) {
	const attempts = 100
	for range attempts {
		bases, err := s.row()
		if err != nil || len(bases) == 0 {
			return 0, err
		}
		offset, err := s.searchTime(bases, t.UnixNano())
		if !errors.Is(err, fs.ErrNotExist) {
			return offset, err
		}
		// Retention has dropped all that was listed: there is more by now.
	}
	return s.End()
}

// searchTime is OffsetAt in these segments. The error is fs.ErrNotExist if the last of them
// is gone.
func (s *Source) searchTime(bases []int64, ns int64) (int64, error) {
	// Append times never run backwards, so the last segment that has nothing
	// newer than t before it is where the search begins.
	i := len(bases) - 1
	for ; i > 0; i-- {
		v, err := s.view(bases[i])
		if err != nil {
			continue // unusable or gone: one further back will do
		}
		floor := v.Floor
		s.release(v)
		if floor < ns {
			break
		}
	}
	for ; i < len(bases); i++ {
		v, err := s.view(bases[i])
		if errors.Is(err, fs.ErrNotExist) {
			if i+1 == len(bases) {
				return 0, err
			}
			continue
		}
		if err != nil {
			return 0, s.unusable(bases[i], err)
		}
		p, err := s.scanTo(v, noOffset, func(e index.Entry) bool { return e.Time < ns }, func(f *segment.Frame) bool { return f.Time < ns })
		found := err == nil && s.isRecordOrDamage(p)
		s.release(v)
		if found || err != nil {
			return p.base, err
		}
	}
	return s.End()
}

// isRecordOrDamage reports whether a search may end at p: damage counts, since the
// records sought may be in it, and who reads there is told.
func (s *Source) isRecordOrDamage(p place) bool {
	var f segment.Frame
	err := fault.Run(func() error { return p.v.Read(p.position, p.base, &f) })
	return err == nil && !f.IsEnd() || err != nil && !errors.Is(err, segment.ErrNoFrame)
}
