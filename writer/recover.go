package writer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

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
	boot, err := bootid.Current()
	if err != nil {
		return err
	}
	if boot.Known() {
		if err = w.openControl(); err == nil {
			w.slot, err = control.TakeSlot(w.dir, w.modes.Data)
		}
		if err == nil && !w.ctl.IsAt(w.dir.Control()) {
			// Mending began after we opened it, and cannot have seen us. Had it looked
			// for live producers later, it would have put the file back.
			w.slot.Release()
			w.ctl.Close()
			w.slot, w.ctl, err = nil, nil, control.ErrStale
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
	err = w.openControl()
	switch {
	case err == nil && (live > 0 || boot.Known()):
		// Somebody recovered it while we waited.
	case err == nil || stale(err):
		if live > 0 {
			return fmt.Errorf("%s: the control file is missing or foreign while %d producers are live; stop them before the log is opened again", w.dir, live)
		}
		if err := w.recoveryFailed(); err != nil {
			return err
		}
		cutShort, err := w.mendingCutShort()
		if err != nil {
			return err
		}
		if cutShort {
			return fmt.Errorf("%s: a repair was cut short; run 'mlog repair %s --execute' again", w.dir, w.dir)
		}
		if err := w.recoverLog(); err != nil {
			return err
		}
		if err = w.openControl(); err != nil {
			return err
		}
	default:
		return err
	}
	w.slot, err = control.TakeSlot(w.dir, w.modes.Data)
	return err
}

// openControl maps the control file that is there now.
func (w *Writer) openControl() (err error) {
	if w.ctl != nil {
		w.ctl.Close()
	}
	w.ctl, err = control.Open(w.dir.Control(), w.meta.LogID, true)
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
		had, err := w.hadProducer()
		if err != nil {
			return err
		}
		if had {
			return &segment.DamageError{Segment: layout.SegmentName(0), Last: -1,
				Reason: "all segment files are missing, and there have been some; restore them or remove the directory"}
		}
		w.sweepSpares()
		h, err := w.createSegment(segment.FileHeader{LogID: w.meta.LogID, Epoch: rand.Uint64(), Size: w.meta.SegmentBytes})
		if err != nil {
			return fmt.Errorf("create the first segment: %w", err)
		}
		h.release()
		bases = []int64{0}
	}
	r := &recovery{w: w, bases: bases, cut: newCutter(w)}
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
	for i := range layout.MostSpares {
		_ = files.Remove(w.dir.SpareAt(i))
	}
	_ = files.Remove(w.dir.Unfinished())
	if err := control.Create(w.dir.Control(), w.meta.LogID, w.modes.Data, control.State{Active: r.last.Base, Durable: r.end}); err != nil {
		return err
	}
	_ = files.Remove(w.dir.ControlAside())
	_ = files.Remove(w.dir.ControlFailed())
	return nil
}

// mendingCutShort reports whether a repair in this boot has not come to its end.
// The words that producers shared tell more of what was promised than a recovery
// could find out, so only another repair may go on.
func (w *Writer) mendingCutShort() (bool, error) {
	ctl, err := control.Open(w.dir.ControlAside(), w.meta.LogID, false)
	if stale(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ctl.Close()
	return true, nil
}

// recoveryFailed returns ErrSyncFailed if a sync of a recovery in this boot has
// failed.
func (w *Writer) recoveryFailed() error {
	ctl, err := control.Open(w.dir.ControlFailed(), w.meta.LogID, false)
	if stale(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer ctl.Close()
	return ctl.CheckPoison()
}

// hadProducer reports whether anybody has ever got as far as appending: a first
// segment was on disk before the files that it looks for.
func (w *Writer) hadProducer() (bool, error) {
	for _, path := range []string{w.dir.Control(), w.dir.Slot(1)} {
		if _, err := files.Lstat(path); !missing(err) {
			return err == nil, err
		}
	}
	return false, nil
}
