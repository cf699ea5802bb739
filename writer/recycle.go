package writer

import (
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
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
//  3. It gets the name of a spare, if there are not enough of them.
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

// reuse makes the file that unname took out of the log a spare, of which there
// are to be no more than so many. It reports whether it did. The directory has
// been synced in between.
func (w *Writer) reuse(spares int) bool {
	path := w.dir.NextSpare()
	if i := w.freeSpare(spares); i >= 0 && w.isUnused(path) && files.Rename(path, w.dir.SpareAt(i)) == nil {
		w.recycled.Add(1)
		return true
	}
	if fi, err := files.Lstat(path); err == nil {
		if x := w.maps.take(fi); x != nil {
			x.release()
		}
	}
	_ = files.Remove(path)
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

// freeSpare returns the first place for a spare, or -1 if there are enough.
func (w *Writer) freeSpare(spares int) int {
	for i := range min(spares, layout.MostSpares) {
		if _, err := files.Lstat(w.dir.SpareAt(i)); missing(err) {
			return i
		}
	}
	return -1
}

// removeForeign removes the spares that hold a segment's bytes, where nothing is
// recycled: an earlier build made them, of files that somebody may still have mapped.
// The caller holds the spare lock.
func (w *Writer) removeForeign() {
	if !w.recycles() {
		w.sweepSpares()
	}
}

// sweepSpares removes the spares that hold anything. It is for recovery and repair,
// which nobody else is beside: a spare of an earlier boot may hold a segment of
// which a power loss has taken the name, with offsets that the log has not come to
// again. Of files that are recycled here everybody knows that theirs are lower.
func (w *Writer) sweepSpares() {
	for i := range layout.MostSpares {
		f, err := files.OpenSized(w.dir.SpareAt(i), w.meta.SegmentBytes, true)
		if missing(err) {
			continue
		}
		origin := segment.Recycled
		if err == nil {
			if origin, err = segment.OriginOf(f); err != nil {
				origin = segment.Recycled
			}
			f.Close()
		}
		if origin != segment.Made {
			_ = files.Remove(w.dir.SpareAt(i))
		}
	}
}

// sparesFor says how many files are kept ready for a log of this many segments.
// One would do if each roll dropped one segment before the next roll comes. But
// the keeper may be late, and then several rolls come together, and after them
// several drops: each file that was made anew meanwhile is one that is kept. The
// share bounds what that takes of a disk: a quarter of the log.
func sparesFor(segments int) int {
	return max(1, min(segments/4, layout.MostSpares))
}
