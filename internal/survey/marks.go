package survey

import (
	"fmt"
	"slices"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// headerDamage says what is wrong with the header of a segment that can be used
// even so, or "".
func (w *walk) headerDamage() string {
	head := w.v.Bytes()[:segment.HeaderBytes]
	switch {
	case !segment.IsHeaderWhole(head):
		return "the header or its copy is damaged, the other one is used"
	case w.meta.Compat&layout.FeatureHeaderCopies != 0 && !segment.HasHeaderCopy(head):
		return "the header has no copy"
	case !w.meta.HasUnknownCompat() && !segment.IsUnusedZero(head):
		return "bytes of the header that are not used are not zero"
	}
	return ""
}

// A mark is a word of the header that says how far something is.
type mark struct {
	name string
	segment.Cursor
}

// readMarks reads the marks before the walk: they never are ahead of what is
// committed, so the walk must come by them.
func (w *walk) readMarks() {
	durable := mark{"durable mark", w.v.Durable()} // first: it is never ahead of the tail
	w.marks = append(w.marks, durable)
	if !w.rebooted {
		w.marks = append(w.marks, mark{"tail", w.v.Tail()})
	}
	w.passMarks()
}

// passMarks strikes out the marks that are where the walk is.
func (w *walk) passMarks() {
	here := segment.Cursor{Position: w.position, Count: w.next - w.v.Base}
	w.marks = slices.DeleteFunc(w.marks, func(m mark) bool { return m.Cursor == here })
}

// checkMarks reports the marks that the walk did not come by. Where batches are
// damaged, they may be right.
func (w *walk) checkMarks() {
	if w.damagedHere || w.report.Torn != nil || w.mayBeTorn(w.v.Base) {
		return
	}
	why := ""
	switch name := w.v.ImplausibleMark(); {
	case name != "":
		why = "the " + name + " is no place in the segment"
	case len(w.marks) > 0:
		m := w.marks[0]
		why = fmt.Sprintf("the %s, at position %d after %d records, is not between two batches", m.name, m.Position, m.Count)
	case w.successor >= 0 && w.v.Successor() != 0 && w.v.Successor() != w.successor:
		why = fmt.Sprintf("the successor is segment %d, and the end marker says %d", w.v.Successor(), w.successor)
	case w.successor < 0 && w.v.Successor() != 0 && !w.v.Committed(w.position):
		why = fmt.Sprintf("the successor is segment %d, and there is no end marker", w.v.Successor())
	case w.successor < 0 && !w.rebooted && w.v.LastTime() < w.time:
		why = "the last time is older than the newest batch"
	default:
		return
	}
	w.add(Marks, w.v.Base, segment.DamageError{Segment: layout.SegmentName(w.v.Base), First: w.v.Base, Last: w.v.Base - 1, Reason: why})
}
