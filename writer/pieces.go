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
// have mapped. So a process whose syncs come to one makes files anew: it recycles none of
// the segments that there are then. The new ones have pages that came one by one, unless
// another producer, which only appends, made them or their pages.

// A renewal says which files are not to be recycled.
type renewal struct {
	// until is above the base offsets of the segments whose files are not recycled; 0 if
	// all are.
	until atomic.Int64
	// sweep says that the spares of before the renewal are still there.
	sweep atomic.Bool
	// inVain counts the files made anew, one after the other, that were found in pieces as
	// well, and lastInVain is the base offset of the last of them. Guarded by syncer.lead.
	inVain     int
	lastInVain int64
}

// mostInVain is how many new files in pieces it takes to give up for good: the filesystem, or
// another producer, makes them so. One may be a spare of before, taken by a roll that was
// quicker than the sweep.
const mostInVain = 2

func (r *renewal) isOn() bool    { return r.until.Load() > 0 }
func (r *renewal) givenUp() bool { return r.inVain >= mostInVain }
func (r *renewal) end()          { r.until.Store(0) }

// mayReuse reports whether the file of the segment with this base offset may be recycled.
func (r *renewal) mayReuse(base int64) bool { return base >= r.until.Load() }

// begin makes a renewal of all files up to that of the active segment.
func (r *renewal) begin(active int64) {
	r.inVain, r.lastInVain = 0, -1
	r.sweep.Store(true)
	r.until.Store(active + 1)
}

// wasInVain counts a new file in pieces, once.
func (r *renewal) wasInVain(base int64) {
	if base == r.lastInVain {
		return
	}
	r.inVain, r.lastInVain = r.inVain+1, base
	if r.givenUp() {
		r.end()
	}
}

// smallPiece is how many bytes of a piece are no harm yet: a sync takes some microseconds
// more for them. A larger piece is of two small ones at least, and aligned to its size.
const smallPiece = 32 << 10

// lookForPieces finds out, once for each stretch that is populated at a time, whether
// the current segment is in pieces. Everything before reached is on disk: so a page before
// that one which is to be written can only be of a piece that has records which are not
// on disk. The caller is about to sync these.
func (s *syncer) lookForPieces() {
	page := int64(os.Getpagesize())
	from := s.reached &^ (page - 1)
	begin := from &^ (2*smallPiece - 1) // here the piece of more than a small one begins, or before
	renewal := &s.w.renewal
	if from < s.lookFrom || !s.asked.Load() || renewal.givenUp() || from-begin < smallPiece {
		return
	}
	s.lookFrom = from + populateStep
	begin = max(begin, page) // without the header's, which is to be written always
	pages := (from - begin) / page
	n, ok := s.countDirty(s.cur.file, begin, from)
	if !ok || pages == 0 {
		return
	}
	inPieces, recycled := n >= pages, s.cur.Origin == segment.Recycled
	switch {
	case recycled && inPieces && !renewal.isOn():
		active, err := s.w.ctl.ActiveBase()
		if err != nil {
			return
		}
		renewal.begin(max(active, s.cur.Base))
		s.w.keeper.request(func(t *todo) { t.spare = true })
	case recycled || !renewal.isOn():
		// Another process recycles while this one does not; or the file is new and in pieces, which is
		// of no use to know before it is recycled.
	case inPieces:
		renewal.wasInVain(s.cur.Base)
	default:
		if s.cur.Base != renewal.lastInVain { // one file may be both
			renewal.inVain = 0
		}
	}
}

// removePieces removes spares while files are made anew: the first time all of them, since it
// cannot tell which are in pieces, and after that those that others have recycled. It ends the renewal
// once the segments of before are gone, whoever dropped them. The caller holds the spare lock.
func (w *Writer) removePieces() {
	if !w.renewal.isOn() {
		return
	}
	if bases, err := w.dir.Segments(); err == nil && len(bases) > 0 && w.renewal.mayReuse(bases[0]) {
		w.renewal.end()
		return
	}
	if w.renewal.sweep.Swap(false) {
		w.removeSurplus(0)
		return
	}
	w.removeRecycled()
}
