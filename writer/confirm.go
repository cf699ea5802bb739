package writer

import (
	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// maxConfirm bounds the bytes that are read to confirm a tail while the log's lock
// is held. With an index or a durable mark it takes far less.
const maxConfirm = 8 << 20

// confirmTail looks whether the batches lead to the tail of a segment that this
// process has not appended to, and mends tail and last time if not. No death of a
// process makes them wrong. But who appended at a damaged tail would overwrite
// batches, or give their offsets out again. The caller holds the log's lock.
func (w *Writer) confirmTail(h *handle) error {
	tail := h.Tail()
	from := w.placeBefore(h, tail)
	if tail.Position-from.Position > maxConfirm {
		return nil
	}
	c, timeNs, err := h.Confirm(from, tail)
	if err != nil {
		return tailDamage(h, segment.Scan{End: c, Bad: err})
	}
	if c != tail {
		w.opts.Logger.Warn("the word that says where the log ends was damaged; the batches say it", "log", string(w.dir),
			"segment", layout.SegmentName(h.Base), "position", c.Position, "end_offset", h.end(c))
		h.SetTail(c)
	}
	if c.Count == 0 {
		timeNs = h.Floor
	}
	last := h.LastTime()
	if timeNs != 0 && (last < timeNs || last > timeNs && last > w.now().UnixNano()) {
		h.SetLastTime(timeNs)
	}
	return nil
}

// placeBefore returns a place between two batches that is before c, by the index
// or the durable mark, whichever is nearer; or the segment's start. The batch that
// stands there verifies.
func (w *Writer) placeBefore(h *handle, c segment.Cursor) segment.Cursor {
	best := segment.Cursor{Position: segment.HeaderBytes}
	better := func(at segment.Cursor) {
		var f segment.Frame
		if at.Position > best.Position && at.Position < c.Position && h.Read(at.Position, h.end(at), &f) == nil && !f.IsEnd() {
			best = at
		}
	}
	better(h.Durable())
	x, err := indexfile.Open(w.dir.Index(h.Base), h.indexHeader(), false)
	if err != nil {
		return best
	}
	defer x.Close()
	if e, ok := x.Last(func(e index.Entry) bool { return e.Position < c.Position }); ok {
		better(segment.Cursor{Position: e.Position, Count: e.Count})
	}
	return best
}

// confirmDurable lowers a durable offset that is behind the log's end, as no
// producer stores it: who waits for a record to be durable would be told so at
// once. Where the segment is not as it should be, whoever comes to append says so.
func (w *Writer) confirmDurable() error {
	durable := w.ctl.Durable.Load() // before the tail, which may grow meanwhile
	h, err := w.openHandle(int64(w.ctl.Active.Load()))
	if ofSystem(err) {
		return err
	}
	if err != nil {
		return nil
	}
	defer h.release()
	if int64(durable) > h.end(h.Tail()) {
		w.ctl.Durable.CompareAndSwap(durable, uint64(h.end(h.Durable())))
	}
	return nil
}
