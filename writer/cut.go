package writer

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// A cutter keeps what recovery or repair takes out of the log, in the directory
// cut. Its names carry the moment, so that none ever replaces another.
type cutter struct {
	w     *Writer
	stamp string
}

func newCutter(w *Writer) cutter {
	return cutter{w: w, stamp: time.Now().UTC().Format("20060102T150405.000000000Z")}
}

// makeDir makes the directory, durably: what is cut out is overwritten next, and the
// copy must not be lost with the directory's name.
func (c cutter) makeDir() error {
	_, err := files.Lstat(c.w.dir.Cut())
	if err := files.Mkdir(c.w.dir.Cut(), c.w.modes.Dir); err != nil {
		return err
	}
	if missing(err) {
		return files.SyncDir(string(c.w.dir))
	}
	return nil
}

// copy keeps a copy of the bytes of a segment in [from, to).
func (c cutter) copy(h *handle, from, to int64) error {
	name := fmt.Sprintf("%s.%s.%d-%d", layout.SegmentName(h.Base), c.stamp, from, to)
	return c.keep(name, h.Bytes()[from:to])
}

func (c cutter) keep(name string, data []byte) error {
	if err := c.makeDir(); err != nil {
		return err
	}
	return files.Replace(filepath.Join(c.w.dir.Cut(), name), data, c.w.modes.Data)
}

// move takes a file of the log away as it is. The caller syncs the directories,
// that of cut first: the new name must be there before the old one is gone.
func (c cutter) move(path, name string) error {
	if err := c.makeDir(); err != nil {
		return err
	}
	return files.Rename(path, filepath.Join(c.w.dir.Cut(), name+"."+c.stamp))
}

// link keeps a file of the log as it is, durably, without taking its name away:
// the caller puts another file in its place, and whoever comes in between finds one
// of the two. Only what is no regular file, in whose place none can be put, is moved.
func (c cutter) link(path, name string) error {
	if err := c.makeDir(); err != nil {
		return err
	}
	kept := filepath.Join(c.w.dir.Cut(), name+"."+c.stamp)
	if err := files.Link(path, kept); err == nil {
		return files.SyncDir(c.w.dir.Cut())
	}
	// A filesystem without hard links, or a file that may not be linked.
	fi, err := files.Lstat(path)
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return c.move(path, name)
	}
	f, err := files.Open(path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	return files.Copy(f, kept, c.w.modes.Data)
}

// zeroFrom makes all of a segment from a position on zero; the caller syncs it. In a
// recycled file that is nearly all of it, and so left to the filesystem, if that can
// do it without writing. It is for recovery and repair, when nobody else writes.
func (h *handle) zeroFrom(pos int64) error {
	if h.Origin == segment.Recycled {
		const page = 4096
		whole := (pos + page - 1) / page * page
		done, err := files.ZeroRange(h.file, whole, h.Size)
		if err != nil {
			return err
		}
		if done {
			clear(h.Bytes()[pos:whole])
			return nil
		}
	}
	h.ZeroFrom(pos)
	return nil
}

// syncMoves makes moves durable.
func (c cutter) syncMoves(from string) error {
	if err := files.SyncDir(c.w.dir.Cut()); err != nil {
		return err
	}
	return files.SyncDir(from)
}
