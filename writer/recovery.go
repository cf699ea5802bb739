package writer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/control"
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
			err = r.cutSegment(scan.End.Position)
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
		if r.w.meta.Compat&^layout.FeatureHeaderCopies == 0 {
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
		h, err := openHandle(r.w.dir, r.w.meta.LogID, r.bases[i-1])
		if err != nil {
			empty, berr := blank(r.w.dir.Segment(r.bases[i-1]))
			if empty {
				continue
			}
			if berr != nil {
				return 0, berr
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
	h, err := openHandle(r.w.dir, r.w.meta.LogID, r.bases[i])
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
	base, lastTime := r.bases[i], int64(0)
	switch {
	case r.last != nil:
		base, lastTime = r.end, r.last.LastTime()
	case i > 0: // the walk begins here, but the log does not
		if lastTime, err = r.lastTimeIn(i - 1); err != nil {
			return nil, err
		}
	}
	if err := r.setAside(i); err != nil {
		return nil, err
	}
	if err := r.addSegment(base, lastTime); err != nil {
		return nil, err
	}
	return openHandle(r.w.dir, r.w.meta.LogID, r.bases[i])
}

// lastTimeIn returns the newest append time that was given out in segment i.
func (r *recovery) lastTimeIn(i int) (int64, error) {
	h, err := openHandle(r.w.dir, r.w.meta.LogID, r.bases[i])
	if err != nil {
		return 0, err
	}
	defer h.release()
	return h.LastTime(), nil
}

// promised reports whether segment i, whose header is not usable, has been on disk.
// The first segment of a log is before anybody can append to it, and retention
// lets none become the first before it is.
func (r *recovery) promised(i int) (bool, error) {
	if i == 0 {
		if had, err := r.w.hadProducer(); had || err != nil {
			return had, err
		}
	}
	never, err := r.neverSynced(i)
	return !never, err
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

// neverSynced reports whether segments i and later hold nothing that was ever
// promised to be on disk: their durable marks never moved, and a file without a
// usable header, or of another length, is one that no sync ever came to, and that
// the segment before it does not know to have been on disk.
func (r *recovery) neverSynced(i int) (bool, error) {
	for j, base := range r.bases[i:] {
		h, err := openHandle(r.w.dir, r.w.meta.LogID, base)
		if ofSystem(err) {
			return false, err
		}
		if err != nil {
			if empty, err := blank(r.w.dir.Segment(base)); !empty || err != nil || r.knownOnDisk(i+j) {
				return false, err
			}
			continue
		}
		moved := h.Durable().Count > 0
		h.release()
		if moved {
			return false, nil
		}
	}
	return true, nil
}

// knownOnDisk reports whether the segment before segment i says that this one has
// been on disk.
func (r *recovery) knownOnDisk(i int) bool {
	if i == 0 {
		return false
	}
	h, err := openHandle(r.w.dir, r.w.meta.LogID, r.bases[i-1])
	if err != nil {
		return false
	}
	defer h.release()
	return h.Successor() == r.bases[i]
}

// ofSystem reports whether err is of the system, such as a want of descriptors or
// a disk that does not read, and so says nothing of what a file holds. That a
// file is missing does.
func ofSystem(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && !missing(err)
}

// blank reports whether a file that cannot be mapped is a segment that was never
// synced.
func blank(path string) (bool, error) {
	f, err := files.Open(path, false)
	if err != nil {
		if ofSystem(err) {
			return false, err
		}
		return false, nil
	}
	defer f.Close()
	return segment.NeverSynced(f)
}

// addSegment makes an empty segment at the log's end.
func (r *recovery) addSegment(base, lastTime int64) error {
	h, err := r.w.createSegment(segment.FileHeader{
		LogID: r.w.meta.LogID, Base: base, Epoch: rand.Uint64(), Size: r.w.meta.SegmentBytes, Floor: lastTime,
	})
	if err != nil {
		return err
	}
	h.release()
	r.bases = append(r.bases, base)
	return nil
}

// cutSegment zeroes the segment from a position on. Leaving the bytes would not
// do: they have this segment's epoch, and a batch among them could come to stand
// just behind a new one.
func (r *recovery) cutSegment(from int64) error {
	to := r.last.LastNonZero(from)
	if to == from {
		return nil
	}
	if err := r.cut.copy(r.last, from, to); err != nil {
		return err
	}
	r.last.ZeroFrom(from)
	r.w.opts.Logger.Warn("the log's end was torn by a power loss and has been cut; a copy is in "+r.w.dir.Cut(),
		"log", string(r.w.dir), "segment", layout.SegmentName(r.last.Base), "position", from, "bytes", to-from, "end_offset", r.end)
	return nil
}

// setAside moves segments i and later out of the log, the last one first, so
// that the row never has a hole.
func (r *recovery) setAside(i int) error {
	for j := len(r.bases) - 1; j >= i; j-- {
		name := layout.SegmentName(r.bases[j])
		if err := r.cut.move(r.w.dir.Segment(r.bases[j]), name); err != nil {
			return err
		}
		_ = files.Remove(r.w.dir.Index(r.bases[j]))
		r.w.opts.Logger.Warn("a segment behind the torn end of the log was moved to "+r.w.dir.Cut(), "log", string(r.w.dir), "segment", name)
	}
	r.bases = r.bases[:i]
	return r.cut.syncMoves(string(r.w.dir))
}

// poison has a failed sync remembered for the rest of the boot: the next recovery
// would find the pages clean that were not written, and promise what is not on
// disk. The control file itself stays away, so that readers take the log for what it
// is, one that is not recovered.
func (r *recovery) poison(failed error) error {
	errno := syscall.EIO
	errors.As(failed, &errno)
	if err := control.Create(r.w.dir.ControlFailed(), r.w.meta.LogID, r.w.modes.Data, control.State{Poison: uint32(errno)}); err != nil {
		failed = fmt.Errorf("%w; and this could not be kept in mind: %w", failed, err)
	}
	return fmt.Errorf("%w: %w", control.ErrSyncFailed, failed)
}

// settle makes what was found in a segment durable, and marks it so.
func (r *recovery) settle(h *handle, end segment.Cursor) error {
	dir, err := files.OpenDir(string(r.w.dir))
	if err != nil {
		return err // no sync was begun
	}
	defer dir.Close()
	if err = files.SyncData(h.file); err == nil {
		err = files.SyncOpenDir(dir)
	}
	if err != nil {
		return r.poison(err)
	}
	h.ResetMarks(end) // and not only forward: the mark may have been damaged
	return nil
}
