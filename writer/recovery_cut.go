package writer

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// What recovery changes: it cuts, moves aside, and makes what is left durable.

// cutSegment zeroes what was written behind the end in this life of the file.
// Leaving the bytes would not do: they have this segment's epoch, and a batch among
// them could come to stand just behind a new one. Bytes of an earlier life have
// another, and stay.
func (r *recovery) cutSegment(end segment.Cursor) error {
	written := files.WrittenUntil(r.last.file, end.Position, r.last.Size)
	from, to := end.Position, r.last.TornUntil(end, written)
	if to == from {
		if r.last.Origin == segment.Recycled { // else there are zeros behind it already
			r.last.CutAt(end, to)
		}
		return nil
	}
	if err := r.cut.copy(r.last, from, to); err != nil {
		return err
	}
	r.last.CutAt(end, to)
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
