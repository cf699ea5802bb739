package writer

import "github.com/seed27ccf144/mlog/segment"

// Before a record is committed the word behind it, the next one's commit word, has to be
// zero. To store that there makes the commit wait for one more cache line, which nobody
// has had in his cache for long: a quarter of what it takes a record to cross to a reader
// that spins. So while appends come one by one, each leaves zeros behind it, after it is
// visible, for some more of its size. They then store no zero of their own.
//
// That those bytes are zero still is known as long as nobody else has stored there. Who
// appended has moved the tail. Who began to and did not end has left the log's lock
// unclean, or died with it, and whoever had it next has counted a repair before anything else.

const (
	zeroStep = 1 << 10      // bytes that are made zero at a time
	mostZero = zeroStep / 4 // of a frame; a larger one takes lines enough of its own
)

// isZeroAhead reports whether the commit word at next is known to be zero. The caller holds
// the log's lock, and the tail is as this process left it.
func (h *handle) isZeroAhead(next segment.Cursor, repairs uint64) bool {
	return next.Position+segment.CommitBytes <= h.zeros && repairs == h.repairs
}

// zeroAhead makes bytes behind the tail, which is next, zero, if fewer are than another frame
// of this length takes. The caller holds the log's lock.
func (h *handle) zeroAhead(next segment.Cursor, frame int64, repairs uint64) {
	if frame > mostZero {
		return
	}
	from := next.Position + segment.CommitBytes
	if repairs == h.repairs {
		from = max(from, h.zeros)
	}
	if from >= next.Position+frame+segment.CommitBytes {
		return
	}
	to := min(next.Position+zeroStep, h.Size)
	h.Zero(from, to)
	h.zeros, h.repairs = to, repairs
}
