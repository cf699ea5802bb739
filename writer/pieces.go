package writer

import (
	"os"
	"sync/atomic"

	"github.com/seed27ccf144/mlog/segment"
)

// The page cache may hold a file in pieces of many pages, and a sync of one record then
// writes all of its piece, which takes five times as long as a page. Where pages came
// into memory by appends that nobody wanted to be durable (see keeper.singly), they stay in
// pieces when the file is recycled, and no call splits a piece of a file that others may
// have mapped. So a process whose syncs come to one makes files anew instead of
// recycling them, for as many segments as the log has. After that all of its files have pages
// that came one by one.

// A renewal says how many files are to be made anew instead of recycled.
type renewal struct {
	left atomic.Int64
	vain atomic.Bool // files made anew are in pieces as well: by what the filesystem, or another producer, does
}

// takes counts one file that is not recycled, and reports whether there was one to go.
func (r *renewal) takes() bool {
	for {
		left := r.left.Load()
		if left <= 0 {
			return false
		}
		if r.left.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

// smallPiece is how many pages in a piece are no harm yet: a sync takes some microseconds
// more for them. A larger piece is aligned to its size, and so to that of two small ones.
const smallPiece = 8

// dirtyPages is files.DirtyPages; tests have another one.
type dirtyPages func(f *os.File, from, to int64) (n int64, ok bool)

// lookForPieces finds out, once for each stretch that is populated at a time, whether
// the current segment is in pieces. Everything before reached is on disk: so a page before
// that one which is to be written can only be of a piece that has records which are not
// on disk. The caller is about to sync these.
func (s *syncer) lookForPieces() {
	page := int64(os.Getpagesize())
	from := s.reached &^ (page - 1)
	begin := from &^ (2*smallPiece*page - 1)
	if from < s.lookFrom || !s.asked.Load() || s.w.renewal.vain.Load() || from-begin < smallPiece*page {
		return
	}
	s.lookFrom = from + populateStep
	begin = max(begin, page) // without the header's, which is to be written always
	n, ok := s.dirtyPages(s.cur.file, begin, from)
	if !ok || n < smallPiece-1 {
		return
	}
	renewal := &s.w.renewal
	switch recycled := s.cur.Origin == segment.Recycled; {
	case renewal.left.Load() == 0 && recycled:
		bases, err := s.w.dir.Segments()
		if err != nil {
			return
		}
		renewal.left.Store(int64(len(bases)))
		s.w.keeper.request(func(t *todo) { t.spare = true })
	case renewal.left.Load() > 0 && !recycled:
		renewal.left.Store(0)
		renewal.vain.Store(true)
	}
}

// removePieces removes the spares that were segments, while files are made anew. The caller holds the
// spare lock.
func (w *Writer) removePieces() {
	if w.renewal.left.Load() > 0 {
		w.removeRecycled()
	}
}
