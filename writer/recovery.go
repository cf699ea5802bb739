package writer

import (
	"errors"
	"fmt"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A recovery is one walk over the segments that may not be wholly on disk.
type recovery struct {
	w     *Writer
	cut   cutter
	bases []int64 // of the segments that there are
	// before and last are the segments that the walk has come to; at its end the
	// log ends in last, at the offset end.
	before, last *handle
	end          int64
}

func (r *recovery) close() {
	r.before.release()
	r.last.release()
}

// A finding is what a segment's end, as far as it verifies, turned out to be.
type finding int

const (
	ends        finding = iota // the log ends here; what lies behind was never promised
	goesOn                     // an end marker, and the segment that it leads to
	lacksMarker                // the next segment begins just here: only the end marker is missing
	lacksNext                  // an end marker, but the next segment's name did not reach the disk
)

// run walks from the oldest segment that is not known to be sealed and synced. At
// the head of the loop, r.bases[i] is where the log goes on after what was found
// before.
func (r *recovery) run() error {
	i, err := r.first()
	if err != nil {
		return err
	}
	if err := r.syncBefore(i); err != nil {
		return err
	}
	for ; ; i++ {
		h, err := r.open(i)
		if err != nil {
			return err
		}
		r.before.release()
		r.before, r.last = r.last, h
		mark, timeNs, err := h.Confirm(segment.Cursor{Position: segment.HeaderBytes}, h.Durable())
		if err != nil {
			return r.unreadableMark(mark, err)
		}
		scan := h.Scan(mark, nil)
		r.end = h.end(scan.End)
		found, err := r.classify(i, scan)
		if err != nil {
			return err // before anything was changed
		}
		if found == ends {
			h.SetSuccessor(0)
			_ = files.Remove(r.w.dir.Index(h.Base)) // it may point at batches that are gone
			err = r.cutSegment(scan.End)
		}
		if err == nil && (found == ends || found == lacksNext) && i+1 < len(r.bases) {
			err = r.setAside(i + 1)
		}
		if err != nil {
			return err
		}
		h.SetLastTime(max(timeNs, scan.Time))
		h.SetTail(scan.End)
		h.RestoreHeader() // one of its two sectors may not have reached the disk
		if !r.w.meta.HasUnknownCompat() {
			h.ClearUnused()
		}
		if found == lacksMarker {
			h.Seal(scan.End)
		}
		if err := r.settle(h, scan.End); err != nil {
			return err
		}
		if r.before != nil { // now that our name is on disk
			r.before.SetSuccessor(h.Base)
		}
		if found == ends {
			return nil
		}
		if found == lacksNext {
			if err := r.addSegment(r.end, h.LastTime()); err != nil {
				return err
			}
		}
	}
}

// classify says what the end of segment i is. An error means that something is
// missing which was promised, or that a later version wrote it.
func (r *recovery) classify(i int, scan segment.Scan) (finding, error) {
	var bad *segment.BadFrameError
	if errors.As(scan.Bad, &bad) && bad.Later {
		return 0, fmt.Errorf("%w: segment %s: %w", layout.ErrIncompatible, layout.SegmentName(r.last.Base), bad)
	}
	if i+1 < len(r.bases) && r.bases[i+1] == r.end && r.end > r.last.Base {
		if scan.Sealed {
			return goesOn, nil
		}
		return lacksMarker, nil
	}
	if i+1 < len(r.bases) {
		never, err := r.neverSynced(i + 1)
		if err != nil {
			return 0, err
		}
		if !never {
			return 0, r.lostBehind(i, scan)
		}
	}
	if !scan.Sealed {
		return ends, nil
	}
	if r.last.Successor() == r.end {
		return 0, &segment.DamageError{Segment: layout.SegmentName(r.end), First: r.end, Last: r.end - 1,
			Reason: "the segment file is missing although it was durable; nothing was changed"}
	}
	return lacksNext, nil
}

// unreadableMark is the damage that reaches up to the durable mark, so that nothing
// tells whether that is right.
func (r *recovery) unreadableMark(c segment.Cursor, bad error) error {
	reason := bad.Error()
	var frame *segment.BadFrameError
	if errors.As(bad, &frame) {
		reason = frame.Reason
	}
	end := r.last.end(c)
	return &segment.DamageError{Segment: layout.SegmentName(r.last.Base), Position: c.Position, First: end, Last: end - 1,
		Reason: reason + ", in what was durable; nothing was changed"}
}

// lostBehind is the damage that segment i ends too early.
func (r *recovery) lostBehind(i int, scan segment.Scan) error {
	return &segment.DamageError{
		Segment:  layout.SegmentName(r.last.Base),
		Position: scan.End.Position,
		First:    r.end,
		Last:     r.bases[i+1] - 1,
		Reason:   "batches are missing that later ones prove to have been durable; nothing was changed",
	}
}

// syncBefore syncs the segments that the walk passes over. Their marks say that
// they are on disk, but the marks of a copied directory speak of the original.
func (r *recovery) syncBefore(i int) error {
	for _, base := range r.bases[:i] {
		f, err := files.Open(r.w.dir.Segment(base), true)
		if err != nil {
			return err
		}
		err = files.SyncData(f)
		f.Close()
		if err != nil {
			return r.poison(err)
		}
	}
	return nil
}

// first returns the index of the segment to begin with: the one after the last
// that is sealed and synced, or the first of all.
func (r *recovery) first() (int, error) {
	for i := len(r.bases) - 1; i > 0; i-- {
		h, err := r.w.openHandle(r.bases[i-1])
		if err != nil {
			proof, perr := r.w.proofOf(r.bases[i-1])
			if proof != segment.NoProof {
				continue
			}
			if perr != nil {
				return 0, perr
			}
			return 0, r.damagedSegment(i-1, err)
		}
		c := h.Durable()
		var f segment.Frame
		complete := h.Read(c.Position, h.end(c), &f) == nil && f.IsEnd() && f.Base == r.bases[i]
		h.release()
		if complete {
			return i, nil
		}
	}
	return 0, nil
}

// open maps segment i. A file at the log's end that never got its header on disk
// is as good as one that was never made.
func (r *recovery) open(i int) (*handle, error) {
	h, err := r.w.openHandle(r.bases[i])
	if err == nil {
		return h, nil
	}
	if ofSystem(err) {
		return nil, err
	}
	promised, perr := r.promised(i)
	if perr != nil {
		return nil, perr
	}
	if promised {
		return nil, r.damagedSegment(i, err)
	}
	lastTime := int64(0)
	switch {
	case r.last != nil:
		lastTime = r.last.LastTime()
	case i > 0: // the walk begins here, but the log does not
		if lastTime, err = r.lastTimeIn(i - 1); err != nil {
			return nil, err
		}
	}
	if err := r.remake(i, lastTime); err != nil {
		return nil, err
	}
	return r.w.openHandle(r.bases[i])
}

// lastTimeIn returns the newest append time that was given out in segment i.
func (r *recovery) lastTimeIn(i int) (int64, error) {
	h, err := r.w.openHandle(r.bases[i])
	if err != nil {
		return 0, err
	}
	defer h.release()
	return h.LastTime(), nil
}

func (r *recovery) damagedSegment(i int, err error) error {
	if ofSystem(err) {
		return err
	}
	base, last := r.bases[i], r.bases[i]-1
	if i+1 < len(r.bases) {
		last = r.bases[i+1] - 1
	}
	var header *segment.HeaderError
	if errors.As(err, &header) {
		if header.Version {
			return fmt.Errorf("%w: segment %s: %s; use a newer mlog", layout.ErrIncompatible, layout.SegmentName(base), header.Reason)
		}
		err = errors.New(header.Reason)
	}
	return &segment.DamageError{Segment: layout.SegmentName(base), First: base, Last: last, Reason: err.Error() + "; nothing was changed"}
}
