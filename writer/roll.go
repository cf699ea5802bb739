package writer

import (
	"fmt"
	"math/rand/v2"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// roll begins a new segment behind the cursor c, the end of the active one. The
// caller holds the lock. The order makes every prefix of the steps repairable:
//
//  1. the new file is complete and has its final name;
//  2. the end marker is committed in the old one;
//  3. the active word names the new one.
//
// Dying before 1 leaves nothing but a spare. Dying between 1 and 2 leaves a
// segment named by the log end offset, which repair finds there. Dying between 2
// and 3 leaves an end marker at the tail, which repair follows.
func (w *Writer) roll(c segment.Cursor) error {
	next, err := w.createSegment(segment.FileHeader{
		LogID: w.meta.LogID,
		Base:  w.cur.end(c),
		Epoch: rand.Uint64(),
		Size:  w.meta.SegmentBytes,
		Floor: w.cur.LastTime(),
	})
	if err != nil {
		return fmt.Errorf("begin a new segment: %w", err)
	}
	w.at(stageNamed)
	w.cur.Seal(c)
	w.at(stageSealed)
	w.ctl.Active.Store(uint64(next.Base))
	w.ctl.Rolls.Add(1)
	w.setCurrent(next)
	w.keeper.rolled()
	return nil
}

// createSegment makes a segment file under its final name, of the spare if there
// is one. It may fail for want of disk, and then has changed nothing.
//
// The file being made has a name that only the lock's holder uses: the spare may
// at any time be replaced by somebody's keeper.
func (w *Writer) createSegment(h segment.FileHeader) (*handle, error) {
	next, err := w.makeSegment(h)
	if err != nil {
		return nil, err
	}
	if err := w.nameSegment(next); err != nil {
		// A call that failed may have been made nevertheless. Then there would be a
		// segment of that name, and this process, alive, appends to the one before.
		_ = files.Remove(w.dir.Segment(h.Base))
		next.release()
		return nil, err
	}
	return next, nil
}

// makeSegment makes a segment that has not got its name yet.
func (w *Writer) makeSegment(h segment.FileHeader) (*handle, error) {
	x, origin, err := w.takeSpare(w.dir.Unfinished(), h.Size)
	if err != nil {
		return nil, err
	}
	h.Origin = origin
	s, err := segment.FormatMapped(x.file, x.m, h)
	if err != nil {
		x.release()
		return nil, err
	}
	if x.m == nil { // else the keeper may be populating it
		x.m = s.Mapping()
	}
	return newHandle(s, x, &w.maps), nil
}

func (w *Writer) nameSegment(h *handle) error {
	return files.Rename(w.dir.Unfinished(), w.dir.Segment(h.Base))
}

// takeSpare gives a file that was made ready the name path, and opens and locks
// it. If there is none of the right size, it makes one here and now.
func (w *Writer) takeSpare(path string, size int64) (*mapped, segment.Origin, error) {
	for i := range layout.MostSpares {
		if files.Rename(w.dir.SpareAt(i), path) != nil {
			continue
		}
		if x, err := w.openSpare(path, size); err == nil {
			origin, err := segment.OriginOf(x.file)
			if err == nil && (origin != segment.Recycled || w.recycles()) {
				return x, origin, nil
			}
			x.release()
		}
	}
	f, err := files.CreateAllocated(path, size, w.modes.Data)
	if err != nil {
		return nil, 0, err
	}
	x, err := newMapped(f, nil)
	if err == nil {
		err = x.share()
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return x, segment.Made, nil
}

// openSpare opens a file that is to become a segment, as the keeper may have done
// already.
func (w *Writer) openSpare(path string, size int64) (*mapped, error) {
	fi, err := files.Lstat(path)
	if err != nil {
		return nil, err
	}
	x := w.maps.take(fi)
	if x == nil {
		f, err := files.OpenSized(path, size, true)
		if err != nil {
			return nil, err
		}
		if x, err = newMapped(f, nil); err != nil {
			f.Close()
			return nil, err
		}
	}
	if err := x.share(); err != nil {
		x.release()
		return nil, err
	}
	return x, nil
}
