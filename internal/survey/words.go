package survey

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/segment"
)

// readControl finds out whether the log has been opened in this boot.
func (s *surveyor) readControl() error {
	ctl, err := s.openControl()
	if ctl == nil || err != nil {
		s.rebooted = err == nil
		return err
	}
	defer ctl.Close()
	if s.active, err = ctl.ActiveBase(); err != nil {
		return err
	}
	if s.durable, err = ctl.DurableOffset(); err != nil {
		return err
	}
	return s.checkLock(ctl)
}

// openControl returns the producers' words, or nil if there are none of this boot.
func (s *surveyor) openControl() (*control.Control, error) {
	path := s.opts.Control
	if path == "" {
		path = s.dir.Control()
	}
	ctl, err := control.Open(path, s.meta.LogID, false)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, control.ErrStale) {
		return nil, nil
	}
	return ctl, err
}

// isOpened reports whether a producer of this boot has opened the log by now.
func (s *surveyor) isOpened() (bool, error) {
	ctl, err := s.openControl()
	if ctl == nil || err != nil {
		return false, err
	}
	return true, ctl.Close()
}

// checkLock reports a lock that names a producer which never was.
func (s *surveyor) checkLock(ctl *control.Control) error {
	if s.opts.Control != "" && s.opts.Control != s.dir.Control() {
		return nil // it is out of use already
	}
	return fault.Run(func() error {
		for _, lock := range []*control.Lock{&ctl.Lock, &ctl.SyncLock} {
			slot := lock.Owner()
			if slot == 0 {
				continue
			}
			if _, err := os.Lstat(s.dir.Slot(int(slot))); slot > control.MaxSlots || errors.Is(err, fs.ErrNotExist) {
				s.file(Derived, path.Base(s.dir.Control()), fmt.Errorf("a lock is held by producer %d, which there never was", slot))
				return nil
			}
		}
		return nil
	})
}

// doubtActive finds out whether the segment that control names is there. If not, it
// may have been lost, which the end marker that leads to it tells, or the word is
// damaged.
func (s *surveyor) doubtActive(bases []int64) error {
	s.noActive = -1
	if s.rebooted || len(bases) == 0 || slices.Contains(bases, s.active) {
		return nil
	}
	for {
		now, err := s.dir.Segments()
		if err != nil || slices.Contains(now, s.active) { // a roll came between
			return err
		}
		active, err := s.activeNow()
		if err != nil {
			return err
		}
		if active == s.active {
			s.noActive, s.active = s.active, bases[len(bases)-1]
			return nil
		}
		s.active = active // the one before was in use no longer, and dropped
	}
}

// activeNow returns the active segment, by the word as it is now.
func (s *surveyor) activeNow() (int64, error) {
	ctl, err := s.openControl()
	if ctl == nil || err != nil {
		return s.active, err
	}
	defer ctl.Close()
	return ctl.ActiveBase()
}

// findMarked looks for the last segment in which something is known to be on
// disk: what comes before it was, too.
func (s *surveyor) findMarked(bases []int64) {
	s.marked = -1
	if !s.rebooted {
		return
	}
	for _, base := range slices.Backward(bases) {
		v, err := openView(s.dir, base)
		if err != nil {
			continue
		}
		durable := v.durable()
		if v.foreign(s.meta.LogID, base) != "" { // it has the marks of an earlier life of the file
			durable = segment.Cursor{}
		}
		v.close()
		if durable.Count > 0 {
			s.marked = base
			return
		}
	}
}
