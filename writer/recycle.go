package writer

import (
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
)

// Recycling: the file of a dropped segment becomes one that is ready for a roll.
// Its blocks are allocated and its pages are in memory, so that the roll costs
// little and the appends behind it write at the speed of memory. The order of the
// steps, which spec/recycle.pml models:
//
//  1. The file loses its name, and the directory is synced. From here on nobody
//     who looks by name finds it, not after a power loss either.
//  2. Its exclusive lock is tried, once. Whoever maps a segment holds the shared
//     one, and looks after he got it whether the name is still there. So who gets
//     the exclusive lock now knows that nobody uses the file, and that nobody
//     will. It is given back at once. Not got: the file is unlinked, and what is
//     mapped of it stays whole for as long as it is.
//  3. It gets the name of a spare, if there are not enough of them (see spares.go).
//
// Its header stays, until a roll overwrites it: where a power loss leaves that of
// an earlier life under a later segment's name, it proves that this segment was
// never synced (see segment.NeverSynced). That it is on disk is why syncFirst is
// asked before the drop.
//
// All of it is done by one process at a time, the holder of producers/spare. Who
// does not get that lock unlinks: a keeper that is stopped holds up nobody.

// recycles reports whether this log does that: everybody who has it open locks what
// he maps, and can.
func (w *Writer) recycles() bool { return w.meta.Recycles() && filelock.CanShare }

// unname takes a segment's name away, durably, and its file too unless that may be
// recycled: then the spare lock comes back, which the caller holds until it has called reuse.
// Without a file of that name it returns fs.ErrNotExist.
func (w *Writer) unname(base int64, spares int) (lock *filelock.Lock, err error) {
	path := w.dir.Segment(base)
	if w.recycles() && spares > 0 {
		lock, _ = filelock.TryExclusive(w.dir.SpareLock(), w.modes.Data)
	}
	if lock == nil {
		return nil, files.Remove(path)
	}
	_ = files.Remove(w.dir.NextSpare()) // a dead keeper's
	if err := files.Rename(path, w.dir.NextSpare()); err != nil {
		lock.Release()
		return nil, err
	}
	return lock, nil
}

// reuse makes the file that unname took out of the log, where it was the segment with
// this base offset, a spare, of which there are to be no more than so many. It reports
// whether it did. The directory has been synced in between.
func (w *Writer) reuse(base int64, spares int) bool {
	path := w.dir.NextSpare()
	if w.renewal.mayReuse(base) {
		if to := w.freeSpare(spares); to != "" && w.isUnused(path) && files.Rename(path, to) == nil {
			w.recycled.Add(1)
			return true
		}
	}
	w.removeSpare(path)
	return false
}

// isUnused reports whether nobody has a file mapped that has lost its name. This
// process counts like any other: each of its handles has a lock of its own.
func (w *Writer) isUnused(path string) bool {
	// Of another size it is no segment of this log, but what a stranger put there.
	f, err := files.OpenSized(path, w.meta.SegmentBytes, true)
	if err != nil {
		return false
	}
	defer f.Close()
	shared, err := filelock.IsShared(f)
	return !shared && err == nil
}
