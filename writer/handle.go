package writer

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A handle is a segment mapped for writing, its file (for syncing) and, once the
// keeper has opened it, its index. It holds a shared lock on the file, so that the
// file is not recycled as long as anybody in this process may store to it. It is
// closed when the last reference goes.
type handle struct {
	*segment.Segment
	*mapped
	maps  *maps // where the mapping goes when the segment is done with; nil: nowhere
	index atomic.Pointer[indexfile.File]
	refs  atomic.Int32

	left  segment.Cursor // the tail that this process stored last; zero if it stored none; guarded by the log's lock
	zeros int64          // this process stored zeros up to here (zeroahead.go); guarded by the log's lock
	noted int64          // stretch of the index that was noted last; guarded by the lead
	due   atomic.Int64   // appends before this position are no news to the index or the keeper; stored with the lead

	asked      atomic.Int64 // pages before this position are ready, or asked to be
	spareAsked atomic.Bool  // the keeper was asked for the segment after this one
	rehearsed  int64        // rehearsals of the roll that ends this segment; guarded by the lead
	synced     atomic.Bool  // this process synced it: its pages are no longer writable without a fault
}

func newHandle(s *segment.Segment, x *mapped, keep *maps) *handle {
	h := &handle{Segment: s, mapped: x, maps: keep}
	h.refs.Store(1)
	h.noted = -1
	if tail := s.Tail().Position; tail > x.ready.Load() {
		x.ready.Store(tail)
		x.partly.Store(tail > segment.HeaderBytes)
	}
	h.asked.Store(x.ready.Load())
	return h
}

// openHandle maps the segment with this base offset of the writer's log.
func (w *Writer) openHandle(base int64) (*handle, error) {
	f, x, err := w.openShared(w.dir.Segment(base))
	if err != nil {
		return nil, err
	}
	h, err := w.mapHandle(f, x, base)
	if err != nil {
		if x != nil {
			x.release()
		} else {
			f.Close()
		}
		return nil, fmt.Errorf("segment %s: %w", layout.SegmentName(base), err)
	}
	return h, nil
}

func (w *Writer) mapHandle(f *os.File, x *mapped, base int64) (*handle, error) {
	known := x
	if x == nil {
		var err error
		if known, err = newMapped(f, nil); err != nil {
			return nil, err
		}
	}
	s, err := segment.RemapNamed(f, known.m, base, true)
	if err != nil {
		return nil, err
	}
	if s.LogID != w.meta.LogID || s.Base != base {
		if x == nil {
			s.Close()
		}
		return nil, &segment.HeaderError{Reason: "it belongs to another log or another offset"}
	}
	if known.m == nil { // else the keeper may be populating it
		known.m = s.Mapping()
	}
	return newHandle(s, known, &w.maps), nil
}

// openShared opens the file of a segment that has this name, with a shared lock on
// it. If this process has it mapped already, that comes with it.
func (w *Writer) openShared(path string) (*os.File, *mapped, error) {
	f, err := filelock.OpenShared(path, true)
	if err != nil || w.maps.isEmpty() {
		return f, nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	x := w.maps.take(fi)
	if x == nil {
		return f, nil, nil
	}
	defer f.Close() // whose lock keeps the file from being recycled until the other one has its own
	if err := x.share(); err != nil {
		x.release()
		return nil, nil, err
	}
	return x.file, x, nil
}

func (h *handle) retain() *handle {
	h.refs.Add(1)
	return h
}

func (h *handle) release() {
	if h == nil || h.refs.Add(-1) != 0 {
		return
	}
	if x := h.index.Load(); x != nil {
		x.Close()
	}
	if h.maps == nil || h.synced.Load() || !h.maps.wanted.Load() {
		h.mapped.release()
		return
	}
	if over := h.maps.keep(h.mapped); over != nil {
		over.release()
	}
}

// end returns the offset that a cursor of this segment stands for.
func (h *handle) end(c segment.Cursor) int64 { return h.Base + c.Count }

func (h *handle) indexHeader() index.Header {
	return index.Header{Base: h.Base, Epoch: h.Epoch, SegmentBytes: h.Size}
}

// tail returns the segment's tail, and whether it is as this process left it.
func (h *handle) tail() (c segment.Cursor, undisturbed bool) {
	if c := h.left; c.Position != 0 && h.TailIs(c) {
		return c, true
	}
	return h.Tail(), false
}

// note makes the batch at c known to the index, if its stretch has no entry yet.
func (h *handle) note(c segment.Cursor, timeNs int64) {
	x := h.index.Load()
	if x == nil {
		return
	}
	if stretch := x.Stretch(c.Position); h.noted != stretch {
		h.noted = stretch
		x.Note(index.Entry{Position: c.Position, Count: c.Count, Time: timeNs})
	}
}

// nextDue returns the position from which on an append has news for the index or the
// keeper. The next one has if the index is not open yet, or has no entry for where it
// will begin, which is left. The keeper has pages made ready that far ahead.
func (h *handle) nextDue(left segment.Cursor, ahead int64) int64 {
	x := h.index.Load()
	if x == nil || x.Stretch(left.Position) != h.noted {
		return 0
	}
	due := min(x.StretchEnd(left.Position), h.asked.Load()-ahead/2+1)
	if !h.spareAsked.Load() {
		due = min(due, h.Size/2+1)
	}
	return min(due, h.rehearseFrom())
}
