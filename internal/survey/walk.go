package survey

import (
	"errors"
	"fmt"
	"os"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A view is a segment mapped for reading, with the lock that keeps it from being
// recycled meanwhile.
type view struct {
	*segment.Segment
	file *os.File
}

func openView(dir layout.Dir, base int64) (*view, error) {
	f, err := filelock.OpenShared(dir.Segment(base), false)
	if err != nil {
		return nil, err
	}
	s, err := segment.MapNamed(f, base, false)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &view{s, f}, nil
}

func (v *view) close() {
	v.Close()
	v.file.Close()
}

// foreign says why the segment is not the one of its name, or "".
func (v *view) foreign(logID [16]byte, base int64) string {
	if v.LogID != logID || v.Base != base {
		return "it belongs to another log or another offset"
	}
	return ""
}

func (v *view) durable() (c segment.Cursor) {
	_ = fault.Run(func() error {
		c = v.Durable()
		return nil
	})
	return c
}

// A walk goes over the batches of one segment.
type walk struct {
	*surveyor
	v           *view
	position    int64
	budget      int64                 // see segment.ResyncBudget
	damagedHere bool                  // bytes of this segment do not verify
	following   func() (int64, bool)  // the segment after this one
	entries     map[int64]index.Entry // of the segment's index, by position, that no batch was met for

	// marks are the tail and the durable mark that were not met yet. The tail is
	// only a hint after a reboot.
	marks     []mark
	successor int64 // what the end marker says, -1 if the walk came to none
}

// segment walks over the batches of v, and then over its index.
func (s *surveyor) segment(v *view, following func() (int64, bool)) error {
	w := &walk{surveyor: s, v: v, position: segment.HeaderBytes, budget: v.ResyncBudget(), following: following, successor: -1}
	w.loadIndex()
	err := fault.Run(func() error {
		if why := w.headerDamage(); why != "" && !w.mayBeTorn(v.Base) {
			s.add(Copy, v.Base, segment.DamageError{Segment: layout.SegmentName(v.Base), First: v.Base, Last: v.Base - 1, Reason: why})
		}
		w.readMarks()
		if err := w.batches(); err != nil {
			return err
		}
		w.checkMarks()
		return nil
	})
	var unreadable *fault.Error
	if errors.As(err, &unreadable) {
		last := w.next - 1
		if next, ok := following(); ok {
			last = next - 1
		}
		s.add(Header, v.Base, segment.DamageError{Segment: layout.SegmentName(v.Base), Position: w.position, First: w.next, Last: last, Reason: err.Error()})
		s.next = last + 1
		err = nil
	}
	w.checkIndex()
	return err
}

func (w *walk) batches() error {
	var f segment.Frame
	w.time = max(w.time, w.v.Floor)
	for {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		err := w.v.Read(w.position, w.next, &f)
		switch {
		case errors.Is(err, segment.ErrNoFrame):
			if err := w.markerIsMissing(); err != nil {
				w.damaged(err)
			}
			return nil
		case err != nil:
			var bad *segment.BadFrameError
			if errors.As(err, &bad) && bad.Later {
				return fmt.Errorf("%w: segment %s: %w", layout.ErrIncompatible, layout.SegmentName(w.v.Base), err)
			}
			if !w.damaged(err) {
				return nil
			}
			continue
		case f.IsEnd():
			w.successor = f.Base
			w.lostSuccessor(&f)
			return nil
		}
		w.frame(&f)
		w.position, w.next = f.Next(), f.End()
		w.passMarks()
	}
}

func (w *walk) frame(f *segment.Frame) {
	if e, ok := w.entries[f.Position]; ok && e.Count == f.Base-w.v.Base && e.Time == f.Time {
		delete(w.entries, f.Position)
	}
	if f.IsLost() {
		w.report.Lost = append(w.report.Lost, segment.DamageError{Segment: layout.SegmentName(w.v.Base), Position: f.Position,
			First: f.Base, Last: f.End() - 1, Reason: "lost to damage, and marked so by repair"})
		return
	}
	if f.Time < w.time {
		w.content(f, "its append time is before that of the batch before it", f.Base-1)
	}
	w.time = max(w.time, f.Time)
	if n, err := decodable(f); err != nil {
		w.report.Records += int64(n)
		w.content(f, err.Error(), f.End()-1)
		return
	}
	w.report.Records += int64(f.Count)
	w.report.Batches++
}

func (w *walk) content(f *segment.Frame, reason string, last int64) {
	w.add(Content, w.v.Base, segment.DamageError{Segment: layout.SegmentName(w.v.Base), Position: f.Position, First: f.Base, Last: last,
		Reason: "the batch has a valid checksum but no valid content: " + reason}).Until = f.Next()
}

// decodable decodes all records of a batch, and returns how many it could.
func decodable(f *segment.Frame) (int, error) {
	var records segment.Records
	records.Reset(f)
	var r segment.Record
	for n := range f.Count {
		if err := records.Next(&r); err != nil {
			return n, err
		}
	}
	return f.Count, nil
}

// markerIsMissing says why there must be an end marker where none is, or returns
// nil where the log may well end.
func (w *walk) markerIsMissing() error {
	wiped := &segment.BadFrameError{Position: w.position, Reason: "zeros where the end marker was"}
	if w.rebooted {
		if w.marked > w.v.Base {
			return wiped
		}
		if next, ok := w.following(); ok {
			w.report.Torn = &Torn{Segment: layout.SegmentName(next)}
		}
		return nil
	}
	if next, ok := w.following(); ok && next < w.active || w.active > w.v.Base {
		if !w.v.Committed(w.position) {
			return wiped
		}
	}
	return nil
}

// mayBeTorn reports whether nothing in the segment with this base offset, nor in
// later ones, is known to be on disk, and recovery has not yet looked at them.
func (s *surveyor) mayBeTorn(base int64) bool { return s.rebooted && base > s.marked }

// lostSuccessor reports that the segment behind an end marker is missing, if there
// is none at all. After a reboot it may be that its name was lost, unless it is
// known to have been on disk.
func (w *walk) lostSuccessor(f *segment.Frame) {
	next, ok := w.following()
	if ok && next != f.Base && w.mayBeTorn(next) && w.v.Successor() != f.Base {
		w.report.Torn = &Torn{Segment: layout.SegmentName(next)} // the names of later segments reached the disk first
		return
	}
	if ok || w.rebooted && w.v.Successor() != f.Base {
		return
	}
	last := f.Base - 1
	if f.Base == w.noActive {
		w.noActive = -1 // it is the segment that is lost, and not the word that is damaged
	}
	if !w.rebooted {
		last = max(last, w.durable-1)
	}
	w.add(Missing, f.Base, segment.DamageError{Segment: layout.SegmentName(f.Base), First: f.Base, Last: last, Reason: "the segment file is missing"})
	w.next = last + 1
}

// damaged reports bytes that do not verify and reports true if the walk can go on
// behind them. After a reboot they may be the torn end of the log.
func (w *walk) damaged(bad error) bool {
	if w.rebooted && w.marked <= w.v.Base && w.position >= w.v.Durable().Position {
		w.report.Torn = &Torn{Segment: layout.SegmentName(w.v.Base), Position: w.position}
		return false
	}
	w.damagedHere = true
	d := w.add(Bytes, w.v.Base, segment.DamageError{
		Segment: layout.SegmentName(w.v.Base), Position: w.position, First: w.next, Last: w.next - 1, Reason: reason(bad),
	})
	var f segment.Frame
	if w.v.Resync(w.position, w.next, &f, &w.budget) {
		d.Until, d.What.Last = f.Position, f.Base-1
		w.position, w.next = f.Position, f.Base
		return true
	}
	d.What.Last = max(d.What.Last, w.v.Base+w.v.Tail().Count-1)
	if w.rebooted { // else the tail is right, and the durable mark cannot say more
		d.What.Last = max(d.What.Last, w.v.Base+w.v.Durable().Count-1)
	}
	if next, ok := w.following(); ok {
		d.What.Last = next - 1
	}
	w.next = d.What.Last + 1
	return false
}

func reason(err error) string {
	var bad *segment.BadFrameError
	if errors.As(err, &bad) {
		return bad.Reason
	}
	return err.Error()
}
