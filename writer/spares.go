package writer

import (
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// The spares: files ready for the next rolls, the first of them next. They are made,
// and removed, by the holder of producers/spare; a roll, which does not hold that
// lock, takes one by renaming it. So each goes by one call, to the roll or away, and
// who comes second finds that it is gone.

// sparesFor says how many files are kept ready for a log of this many segments.
// One would do if each roll dropped one segment before the next roll comes. But
// the keeper may be late, and then several rolls come together, and after them
// several drops: each file that was made anew meanwhile is one that is kept. The
// share bounds what that takes of a disk: a quarter of the log, and one file in a
// small log.
func (w *Writer) sparesFor(segments int) int {
	if !w.recycles() {
		return 1
	}
	return max(1, min(segments/4, layout.MostSpares))
}

// spares returns the paths of the spares that there are.
func (w *Writer) spares() (paths []string) {
	for i := range layout.MostSpares {
		if _, err := files.Lstat(w.dir.SpareAt(i)); err == nil {
			paths = append(paths, w.dir.SpareAt(i))
		}
	}
	return paths
}

// freeSpare returns the first place for a spare, or "" if there are enough.
func (w *Writer) freeSpare(spares int) (free string) {
	taken := 0
	for i := range layout.MostSpares {
		if _, err := files.Lstat(w.dir.SpareAt(i)); !missing(err) {
			taken++
		} else if free == "" {
			free = w.dir.SpareAt(i)
		}
	}
	if taken >= spares {
		return ""
	}
	return free
}

// dropSurplus removes the spares that are too many for a log of this many segments,
// the last ones first. It returns how many it removed. While somebody else holds the
// lock it leaves them to whoever drops or rolls next.
func (w *Writer) dropSurplus(segments int) (removed int) {
	most := w.sparesFor(segments)
	if len(w.spares()) <= most {
		return 0
	}
	lock, _ := filelock.TryExclusive(w.dir.SpareLock(), w.modes.Data)
	if lock == nil {
		return 0
	}
	defer lock.Release()
	return w.removeSurplus(most)
}

// removeSurplus leaves so many spares. The caller holds the lock.
func (w *Writer) removeSurplus(most int) (removed int) {
	paths := w.spares()
	for ; len(paths) > most; paths = paths[:len(paths)-1] {
		if w.removeSpare(paths[len(paths)-1]) {
			removed++
		}
	}
	return removed
}

// removeSpare removes a file that was, or was to be, a spare, and gives back what
// this process has mapped of it. It reports whether the file was there.
func (w *Writer) removeSpare(path string) bool {
	if fi, err := files.Lstat(path); err == nil {
		if x := w.maps.take(fi); x != nil {
			x.release()
		}
	}
	return files.Remove(path) == nil
}

// removeForeign removes the spares that were segments, where nothing is recycled: an
// earlier build made them, of files that somebody may still have mapped. What was
// prepared, by this process or by another one, stays. The caller holds the spare lock.
func (w *Writer) removeForeign() {
	if !w.recycles() {
		w.removeRecycled()
	}
}

// removeRecycled removes the spares that were segments. The caller holds the spare lock.
func (w *Writer) removeRecycled() {
	for i := range layout.MostSpares {
		if origin, err := w.spareOrigin(i); err == nil && origin == segment.Recycled {
			w.removeSpare(w.dir.SpareAt(i))
		}
	}
}

// spareOrigin says what the spare in this place is.
func (w *Writer) spareOrigin(i int) (segment.Origin, error) {
	f, err := files.OpenSized(w.dir.SpareAt(i), w.meta.SegmentBytes, true)
	if err != nil {
		return segment.Made, err
	}
	defer f.Close()
	return segment.OriginOf(f)
}

// sweepSpares removes the spares that hold anything, and those that cannot be read. It
// is for recovery and repair, which nobody else is beside: a spare of an earlier boot
// may hold a segment of which a power loss has taken the name, with offsets that the
// log has not come to again. Of files that are recycled here everybody knows that
// theirs are lower.
func (w *Writer) sweepSpares() {
	for i := range layout.MostSpares {
		origin, err := w.spareOrigin(i)
		if !missing(err) && (err != nil || origin != segment.Made) {
			_ = files.Remove(w.dir.SpareAt(i))
		}
	}
}
