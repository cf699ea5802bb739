package writer

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// Limits say which of the oldest segments are dropped. A segment goes when any of
// them says so; a zero field says nothing.
type Limits struct {
	Before           int64 // drop segments all of whose records have lower offsets
	layout.Retention       // drop what does not fit Bytes, and what is older than Age
}

// Trim drops the oldest segments that the limits do not keep, but never the one in
// use. It returns how many this call removed, and how many files of that size the
// disk has less: some may be kept for the next segments, others have been kept until
// now. What a reader has mapped takes room until it goes on, or about a second longer, and
// what another producer has, until its next roll, or for about restAfter. Both are told with an error too.
func (w *Writer) Trim(ctx context.Context, l Limits) (dropped, freed int, err error) {
	w.trims.Lock()
	defer w.trims.Unlock()
	return w.dropOldest(ctx, l, func() error {
		if w.closed.Load() {
			return ErrClosed
		}
		return ctx.Err()
	})
}

// dropOldest is what retention and trimming have in common. goOn is asked before
// each segment.
//
// Several processes may do this at once: they remove the same files in the same
// order, and to find one gone is no error.
func (w *Writer) dropOldest(ctx context.Context, l Limits, goOn func() error) (dropped, freed int, err error) {
	if err := goOn(); err != nil {
		return 0, 0, err
	}
	bases, err := w.dir.Segments()
	if err != nil {
		return 0, 0, err
	}
	active, err := w.ctl.ActiveBase()
	if err != nil {
		return 0, 0, err
	}
	defer w.dropOrphans()
	left := len(bases)
	defer func() { freed += w.dropSurplus(left) }()
	for i, base := range bases {
		if base >= active || i+1 == len(bases) {
			return dropped, freed, nil
		}
		next, size := bases[i+1], int64(len(bases)-i)*w.meta.SegmentBytes
		if drops, err := w.drops(l, base, next, size); !drops || err != nil {
			return dropped, freed, err
		}
		if err := goOn(); err != nil {
			return dropped, freed, err
		}
		if err := w.syncFirst(ctx, next); err != nil {
			return dropped, freed, err
		}
		// Another process may have removed one just now, and not have synced that; but none
		// was there to remove since this one did.
		if i == 0 && w.droppedTo.Load() != base {
			if err := files.SyncDir(string(w.dir)); err != nil {
				return dropped, freed, err
			}
		}
		removed, less, err := w.drop(base, w.sparesFor(left-1))
		freed += less
		if removed {
			dropped++
		}
		if err != nil {
			return dropped, freed, err
		}
		w.droppedTo.Store(next)
		left--
	}
	return dropped, freed, nil
}

// drops reports whether the segment base, before the segment next, is to be
// dropped, of a log whose segments from base on take size bytes.
func (w *Writer) drops(l Limits, base, next, size int64) (bool, error) {
	if next <= l.Before || l.Bytes > 0 && size > l.Bytes {
		return true, nil
	}
	if l.Age == 0 {
		return false, nil
	}
	newest, err := segmentFloor(w.dir.Segment(next), next)
	if missing(err) {
		if _, serr := files.Lstat(w.dir.Segment(base)); missing(serr) {
			return true, nil // another process has dropped both since we listed them
		}
	}
	if err != nil {
		return false, fmt.Errorf("tell the age of segment %s: %w", layout.SegmentName(base), err)
	}
	return w.now().Sub(newest) > l.Age, nil
}

// syncFirst makes sure that the segment that is to become the log's first is on
// disk, or that its file holds a header of before it became this segment, which
// proves that it never was. Else a power loss could leave a log of which only a name
// is there, and that could as well be one that a stranger wiped.
func (w *Writer) syncFirst(ctx context.Context, base int64) error {
	h, err := segmentHeader(w.dir.Segment(base), base)
	if err == nil && h.Origin != segment.Made || missing(err) { // if missing, somebody drops both
		return nil
	}
	synced := false
	if err := fault.Run(func() error {
		synced = w.ctl.Named.Load() > uint64(base)
		return nil
	}); synced || err != nil {
		return err
	}
	if err != nil { // its header is damaged
		return w.syncer.all(ctx)
	}
	if err := w.syncer.one(base); !missing(err) {
		return err
	}
	return nil
}

// drop removes one segment, and the spares that are too many then; freed is how many
// files the disk has less. The directory is synced before the next one goes: a
// power loss must not leave a hole in the row, which would look like damage.
func (w *Writer) drop(base int64, spares int) (removed bool, freed int, err error) {
	if err := files.Remove(w.dir.Index(base)); err != nil && !missing(err) {
		return false, 0, err
	}
	lock, err := w.unname(base, spares)
	defer lock.Release()
	if err != nil && !missing(err) {
		return false, 0, err
	}
	removed = err == nil
	w.opts.Logger.Debug("segment dropped", "log", string(w.dir), "base", base)
	if err := files.SyncDir(string(w.dir)); err != nil {
		return removed, 0, err
	}
	if removed && (lock == nil || !w.reuse(base, spares)) {
		freed++
	}
	if lock != nil {
		freed += w.removeSurplus(spares)
	}
	return removed, freed, nil
}

// dropOrphans removes indexes of segments that are gone: an index may be made just
// when its segment is dropped.
func (w *Writer) dropOrphans() {
	for _, path := range w.dir.OrphanIndexes() {
		_ = files.Remove(path)
	}
}

// segmentFloor returns the time before which no record of a segment was
// appended: that of the newest record in the segment before it.
func segmentFloor(path string, base int64) (time.Time, error) {
	h, err := segmentHeader(path, base)
	return time.Unix(0, h.Floor), err
}

func segmentHeader(path string, base int64) (segment.FileHeader, error) {
	f, err := files.Open(path, false)
	if err != nil {
		return segment.FileHeader{}, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.NewSectionReader(f, 0, segment.HeaderBytes))
	if err != nil {
		return segment.FileHeader{}, err
	}
	h, err := segment.DecodeHeaderOf(head, base)
	if err != nil {
		return segment.FileHeader{}, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}
