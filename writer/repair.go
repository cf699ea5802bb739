package writer

import (
	"errors"
	"fmt"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// repair brings the shared state back in order after the last holder of the lock
// died (or met a fault) at any instruction. The memory and the page cache are
// intact, so the work is bounded by what one holder could leave undone, and it
// may itself be cut short and done again.
func (w *Writer) repair() error {
	w.ctl.Takeovers.Add(1)
	for {
		h, err := w.openHandle(int64(w.ctl.Active.Load()))
		if err != nil {
			return err
		}
		rolled, err := w.repairSegment(h)
		if err != nil {
			h.release()
			return err
		}
		if !rolled {
			w.setCurrent(h)
			break
		}
		h.release()
	}
	// The dead one may have lowered the flag of the consumers, or committed, and
	// not come to the wake.
	w.wake.SignalAlways()
	return nil
}

// repairSegment restores the tail of the active segment. It reports true if the
// active word moved on to another segment, which then is to be repaired.
func (w *Writer) repairSegment(h *handle) (rolled bool, err error) {
	if err := w.confirmTail(h); err != nil {
		return false, err
	}
	scan := h.Scan(h.Tail(), nil)
	if scan.Bad != nil {
		return false, tailDamage(h, scan)
	}
	h.SetLastTime(max(h.LastTime(), scan.Time))
	h.SetTail(scan.End)
	end := h.end(scan.End)
	if !scan.Sealed {
		ok, err := w.halfRolled(h, end)
		if err != nil || !ok {
			return false, err
		}
		h.Seal(scan.End)
	}
	w.ctl.Active.Store(uint64(end))
	return true, nil
}

// halfRolled reports whether the roll behind h got as far as naming the next
// segment.
func (w *Writer) halfRolled(h *handle, end int64) (bool, error) {
	if end == h.Base {
		return false, nil // the segment is empty, and is itself the one of that name
	}
	next, err := w.openHandle(end)
	if missing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	next.release()
	return true, nil
}

// tailDamage is what is wrong when bytes at the tail do not verify although no
// power was lost: no death of a process leaves that behind.
func tailDamage(h *handle, scan segment.Scan) error {
	e := &segment.DamageError{
		Segment:  layout.SegmentName(h.Base),
		Position: scan.End.Position,
		First:    h.end(scan.End),
		Last:     h.end(scan.End) - 1,
		Reason:   scan.Bad.Error(),
	}
	var bad *segment.BadFrameError
	if errors.As(scan.Bad, &bad) {
		e.Reason = bad.Reason
	}
	return fmt.Errorf("the log's end was overwritten by a stranger, nothing can be appended: %w", e)
}
