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

// What recovery changes: it cuts, moves aside, and makes what is left durable.

// cutSegment zeroes all that stands behind the end, and keeps a copy of what can be
// recognized as of this life of the file. Leaving those bytes would not do: they have
// this segment's epoch, and a batch among them could come to stand just behind a new
// one. Nor would leaving others: a batch of which only the second part of the header
// reached the disk cannot be told from bytes of an earlier life, and the first part
// of a new batch in its place would make it whole again.
func (r *recovery) cutSegment(end segment.Cursor) error {
	written := files.WrittenUntil(r.last.file, end.Position, r.last.Size)
	from, to := end.Position, r.last.TornUntil(end, written)
	if to == from && r.last.Origin != segment.Recycled {
		return nil // zeros follow
	}
	if to == from && written == from {
		// Zeros too, but they may be a hole that a recovery before this one left: one that
		// was cut short between giving up the blocks and allocating them anew. A store
		// to it would need disk that may not be there.
		return files.FillHoles(r.last.file, from, r.last.Size)
	}
	if to > from {
		if err := r.cut.copy(r.last, from, to); err != nil {
			return err
		}
	}
	if err := r.last.zeroFrom(from); err != nil || to == from {
		return err
	}
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

// addSegment makes an empty segment at the log's end.
func (r *recovery) addSegment(base, lastTime int64) error {
	r.w.sweepSpares()
	h, err := r.w.createSegment(r.newHeader(base, lastTime))
	if err != nil {
		return err
	}
	h.release()
	r.bases = append(r.bases, base)
	return nil
}

// remake puts an empty segment in the place of segment i, which has no usable header
// and was never synced, and takes those behind it out of the log. It may be the only
// one, and without any, nobody could tell such a log from one that lost all of its
// segments. So its name is there at every instant: for the old file until the
// new one is whole, and on disk, since a header that is missing there would be
// damage in a log's first segment.
func (r *recovery) remake(i int, lastTime int64) error {
	if i+1 < len(r.bases) {
		if err := r.setAside(i + 1); err != nil {
			return err
		}
	}
	base := r.bases[i]
	r.w.sweepSpares()
	h, err := r.w.makeSegment(r.newHeader(base, lastTime))
	if err != nil {
		return err
	}
	defer h.release()
	if err := files.SyncData(h.file); err != nil {
		return err // nothing was promised of this file
	}
	name := layout.SegmentName(base)
	if err := r.cut.link(r.w.dir.Segment(base), name); err != nil {
		return err
	}
	_ = files.Remove(r.w.dir.Index(base))
	if err := r.w.nameSegment(h); err != nil {
		return err
	}
	r.w.opts.Logger.Warn("a segment that a power loss left without its header was begun anew; the old file is in "+r.w.dir.Cut(), "log", string(r.w.dir), "segment", name)
	return nil
}

func (r *recovery) newHeader(base, lastTime int64) segment.FileHeader {
	return segment.FileHeader{LogID: r.w.meta.LogID, Base: base, Epoch: rand.Uint64(), Size: r.w.meta.SegmentBytes, Floor: lastTime}
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
