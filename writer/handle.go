package writer

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A handle is a segment mapped for writing, its file (for syncing) and, once the
// keeper has opened it, its index. It is closed when the last reference goes.
type handle struct {
	*segment.Segment
	file  *os.File
	index atomic.Pointer[indexfile.File]
	noted atomic.Int64 // stretch of the index that was noted last
	refs  atomic.Int32

	ready      atomic.Int64 // pages before this position are populated, or asked to be
	spareAsked atomic.Bool  // the keeper was asked for the segment after this one
}

func newHandle(s *segment.Segment, f *os.File) *handle {
	h := &handle{Segment: s, file: f}
	h.refs.Store(1)
	h.noted.Store(-1)
	h.ready.Store(s.Tail().Position + populateChunk)
	return h
}

// openHandle maps the segment with this base offset of the log.
func openHandle(dir layout.Dir, logID [16]byte, base int64) (*handle, error) {
	f, err := files.Open(dir.Segment(base), true)
	if err != nil {
		return nil, err
	}
	s, err := segment.MapNamed(f, base, true)
	if err == nil && (s.LogID != logID || s.Base != base) {
		s.Close()
		err = &segment.HeaderError{Reason: "it belongs to another log or another offset"}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("segment %s: %w", layout.SegmentName(base), err)
	}
	return newHandle(s, f), nil
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
	h.Segment.Close()
	h.file.Close()
}

// end returns the offset that a cursor of this segment stands for.
func (h *handle) end(c segment.Cursor) int64 { return h.Base + c.Count }

func (h *handle) indexHeader() index.Header {
	return index.Header{Base: h.Base, Epoch: h.Epoch, SegmentBytes: h.Size}
}

// note makes the batch at c known to the index, if its stretch has no entry yet.
func (h *handle) note(c segment.Cursor, timeNs int64) {
	x := h.index.Load()
	if x == nil {
		return
	}
	if stretch := x.Stretch(c.Position); h.noted.Load() != stretch {
		h.noted.Store(stretch)
		x.Note(index.Entry{Position: c.Position, Count: c.Count, Time: timeNs})
	}
}
