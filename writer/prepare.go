package writer

import (
	"os"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
	"github.com/seed27ccf144/mlog/segment"
)

// Making the next segment ready: its file, its mapping in this process, and the
// pages of it that the appender comes to soon.

// populateStep is how many bytes are populated at a time: while the system is at
// it, nobody in the process can map or unmap a file.
const populateStep = 1 << 20

// Bounds of how far ahead of the tail pages are made ready. The least is what it
// takes an appender at full speed longer to write than the keeper to wake up, and
// little enough to be no burden on a log that gets no more records: a populated
// page is a dirty page, and the next sync writes it. It is doubled each time that
// the keeper comes too late, and halved at each roll.
const (
	leastAhead = 1 << 20
	mostAhead  = 8 << 20
)

// populate makes the pages of x before the position to ready.
func (x *mapped) populate(to int64, singly bool) {
	if x.m == nil {
		return
	}
	to = min(to, int64(len(x.m.Bytes())))
	for from := x.ready.Load(); from < to; {
		next := min(from+populateStep, to)
		x.m.Populate(from, next, singly)
		x.ready.CompareAndSwap(from, next)
		from = next
	}
}

// singly reports whether the system is to make pages one by one. By itself it makes
// them in pieces that grow, up to many pages, which takes a third of the time; but a
// sync of one record then writes all of the piece.
func (k *keeper) singly() bool { return k.w.syncer.asked.Load() }

// prepare makes a file ready for the next roll, unless there is one, and maps it.
func (k *keeper) prepare() error {
	err := k.makeSpare()
	k.mapSpare()
	k.w.maps.releaseUnlinked()
	return err
}

// makeSpare makes a file for the next roll, unless there is one or another process
// is at it.
func (k *keeper) makeSpare() error {
	dir, size := k.w.dir, k.w.meta.SegmentBytes
	lock, err := filelock.TryExclusive(dir.SpareLock(), k.w.modes.Data)
	if lock == nil || err != nil {
		return err
	}
	defer lock.Release()
	k.w.removeForeign()
	k.w.removePieces()
	for i := range layout.MostSpares {
		if f, err := files.OpenSized(dir.SpareAt(i), size, true); err == nil {
			return f.Close()
		}
	}
	f, err := files.CreateAllocated(dir.NextSpare(), size, k.w.modes.Data)
	if err != nil {
		return err
	}
	if k.w.meta.HasOrigins() {
		err = k.w.stamp(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = files.Remove(dir.NextSpare())
		return err
	}
	return files.Rename(dir.NextSpare(), dir.Spare())
}

// stamp makes a new file one that is prepared. A sync that fails here says nothing
// of what was promised: the file is no part of the log.
func (w *Writer) stamp(f *os.File) error {
	if err := segment.Prepare(f, w.meta.LogID, w.meta.SegmentBytes); err != nil {
		return err
	}
	return files.SyncData(f)
}

// nextSpare returns the mapping of the file that the next roll will take, if this
// process has it. The caller releases it.
func (w *Writer) nextSpare() *mapped {
	for i := range layout.MostSpares {
		if fi, err := files.Lstat(w.dir.SpareAt(i)); err == nil {
			return w.maps.find(fi)
		}
	}
	return nil
}

// mapSpare maps the file that the next roll will take, by this process or by
// another one, whom this one will follow. It is a help, and may fail.
func (k *keeper) mapSpare() {
	for i := range layout.MostSpares {
		path := k.w.dir.SpareAt(i)
		fi, err := files.Lstat(path)
		if err != nil {
			continue
		}
		if x := k.w.maps.find(fi); x != nil {
			x.release()
			return
		}
		f, err := files.OpenSized(path, k.w.meta.SegmentBytes, true)
		if err != nil {
			return
		}
		x, err := newMapped(f, nil)
		if err == nil {
			x.m, err = mapping.File(f, k.w.meta.SegmentBytes, true)
		}
		if err != nil {
			f.Close()
			return
		}
		x.populate(leastAhead, k.singly())
		if over := k.w.maps.keep(x); over != nil {
			over.release()
		}
		return
	}
}

// populateNext makes the first pages of the next segment ready.
func (k *keeper) populateNext(to int64) {
	if x := k.w.nextSpare(); x != nil {
		x.populate(to, k.singly())
		x.release()
	}
}
