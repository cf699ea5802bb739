package writer

import "github.com/seed27ccf144/mlog/segment"

// Before a record is committed the word behind it, the next one's commit word, has to be
// zero. To store that there, or to look, makes the commit wait for a cache line that
// nobody has had for long. So while appends come one by one, each stores zeros behind
// itself once it is visible, for some more of its size. The next one finds those lines in
// its core's cache: it looks, and stores a zero only where there is none, be it that
// somebody has stored there since and died.

const (
	zeroStep = 1 << 10      // bytes that are made zero at a time
	mostZero = zeroStep / 4 // of a frame; a larger one takes lines enough of its own
)

// isZeroAhead reports whether the commit word at next is zero, if that is quickly found
// out. The caller holds the log's lock.
func (h *handle) isZeroAhead(next segment.Cursor) bool {
	return next.Position+segment.CommitBytes <= h.zeros && !h.Committed(next.Position)
}

// zeroAhead makes bytes behind the tail, which is next, zero, if fewer are than another frame
// of this length takes. The caller holds the log's lock.
func (h *handle) zeroAhead(next segment.Cursor, frame int64) {
	from := max(h.zeros, next.Position+segment.CommitBytes)
	if frame > mostZero || from >= next.Position+frame+segment.CommitBytes {
		return
	}
	to := min(next.Position+zeroStep, h.Size)
	h.Zero(from, to)
	h.zeros = to
}
