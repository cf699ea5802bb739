package writer

import (
	"math"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/segment"
)

// The first calls of the system after many appends find nothing of what they need in
// the caches of the processor, through which the appends have sent megabytes: what takes
// 5 µs when it was made just before takes 50. A roll makes eight calls, with the log's lock
// held. So two appends shortly before it make calls like those, which change nothing,
// without that lock, and far enough apart for what came meanwhile to be caught up with:
// three stalls of which each is short, though together they are as long.

// rehearsals is how many there are before a roll. The first is about the name that the
// roll gives the next segment's file for the moment, the other about that file.
const rehearsals = 2

// rehearseFrom returns the tail from which on the next rehearsal is due: they are a
// 256th of the segment apart, and that before its end. The caller has the lead.
func (h *handle) rehearseFrom() int64 {
	if h.rehearsed >= rehearsals {
		return math.MaxInt64
	}
	return h.Size - (rehearsals-h.rehearsed)*(h.Size>>8)
}

// rehearse makes the next rehearsal for the roll that ends h. Whatever it finds is no
// matter: of the spare, too, which anybody may be taking for a segment just now, it reads what
// it then throws away. The caller has the lead.
func (w *Writer) rehearse(h *handle) {
	if h.rehearsed++; h.rehearsed == 1 {
		_, _ = files.Lstat(w.dir.Unfinished())
		return
	}
	if x := w.nextSpare(); x != nil {
		_, _ = segment.OriginOf(x.file)
		x.release()
	}
}
