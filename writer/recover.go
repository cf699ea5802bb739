package writer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/seed27ccf144/mlog/internal/bootid"
	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/group"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// join opens the control file and takes a slot. Where the control file is not of
// this boot and place, the log is recovered first, by one process while the
// others wait.
func (w *Writer) join(ctx context.Context) (err error) {
	if bootid.Current().Known() {
		if w.ctl, err = control.Open(w.dir.Control(), w.meta.LogID, true); err == nil {
			w.slot, err = control.TakeSlot(w.dir, w.modes.Data)
		}
		if !stale(err) {
			return err
		}
	}
	lock, err := filelock.Exclusive(ctx, w.dir.OpenLock(), w.modes.Data)
	if err != nil {
		return err
	}
	defer lock.Release()
	live, err := control.LiveSlots(w.dir)
	if err != nil {
		return err
	}
	w.ctl, err = control.Open(w.dir.Control(), w.meta.LogID, true)
	switch {
	case err == nil && (live > 0 || bootid.Current().Known()):
		// Somebody recovered it while we waited.
	case err == nil || stale(err):
		if live > 0 {
			return fmt.Errorf("%s: the control file is missing or foreign while %d producers are live; stop them before the log is opened again", w.dir, live)
		}
		if err := w.recoverLog(); err != nil {
			return err
		}
		if w.ctl, err = control.Open(w.dir.Control(), w.meta.LogID, true); err != nil {
			return err
		}
	default:
		return err
	}
	w.slot, err = control.TakeSlot(w.dir, w.modes.Data)
	return err
}

func stale(err error) bool { return errors.Is(err, control.ErrStale) || errors.Is(err, fs.ErrNotExist) }

// recoverLog finds the end of a log whose writers are all gone with their boot:
// pages may have reached the disk in any order or not at all. It keeps the
// longest run of batches that verify, copies what it cuts off aside, and makes a
// new control file. The caller excludes everybody else.
//
// A second power loss during recovery is no matter: each step leaves the log as
// it was or better, and the control file, which ends it, comes last.
func (w *Writer) recoverLog() error {
	bases, err := w.dir.Segments()
	if err != nil {
		return err
	}
	if len(bases) == 0 {
		if w.hadProducer() {
			return &segment.DamageError{Segment: layout.SegmentName(0), Last: -1,
				Reason: "all segment files are missing, and there have been some; restore them or remove the directory"}
		}
		h, err := w.createSegment(segment.FileHeader{LogID: w.meta.LogID, Epoch: rand.Uint64(), Size: w.meta.SegmentBytes})
		if err != nil {
			return fmt.Errorf("create the first segment: %w", err)
		}
		h.release()
		bases = []int64{0}
	}
	r := &recovery{w: w, bases: bases, stamp: time.Now().UTC().Format("20060102T150405.000000000Z")}
	defer r.close()
	if err := fault.Run(r.run); err != nil {
		return fmt.Errorf("recover %s: %w", w.dir, err)
	}
	if err := group.Clamp(w.dir, w.meta.LogID, r.end); err != nil {
		return err
	}
	if err := w.dir.CreateWake(w.meta.Mode); err != nil {
		return err
	}
	w.dir.SweepTemporary()
	_ = files.Remove(w.dir.Spare())
	_ = files.Remove(w.dir.Unfinished())
	return control.Create(w.dir.Control(), w.meta.LogID, w.modes.Data, control.State{Active: r.last.Base, Durable: r.end})
}

// hadProducer reports whether anybody has ever got as far as appending: a first
// segment was on disk before the files that it looks for.
func (w *Writer) hadProducer() bool {
	for _, path := range []string{w.dir.Control(), w.dir.Slot(1)} {
		if _, err := os.Lstat(path); err == nil {
			return true
		}
	}
	return false
}
