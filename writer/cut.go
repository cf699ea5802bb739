package writer

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
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
// the caller puts another file in its place.
func (c cutter) link(path, name string) error {
	if err := c.makeDir(); err != nil {
		return err
	}
	err := files.Link(path, filepath.Join(c.w.dir.Cut(), name+"."+c.stamp))
	if err != nil { // a filesystem without hard links
		return c.move(path, name)
	}
	return files.SyncDir(c.w.dir.Cut())
}

// syncMoves makes moves durable.
func (c cutter) syncMoves(from string) error {
	if err := files.SyncDir(c.w.dir.Cut()); err != nil {
		return err
	}
	return files.SyncDir(from)
}
