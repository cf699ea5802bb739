package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
)

// MaxSlots is how many producers a log can have at a time.
const MaxSlots = 4096

// A Slot is a producer's registration: a number, and the lock on its file that
// the kernel frees when the producer dies.
type Slot struct {
	Number uint32
	lock   *filelock.Lock
}

// TakeSlot registers a producer. The caller must then look whether a lock of the
// control file still names the slot: its former owner died holding it, and the
// lock is now the caller's to repair and release.
//
// A slot whose file this user may not open is passed over.
func TakeSlot(dir layout.Dir, mode fs.FileMode) (*Slot, error) {
	var closed error
	for n := uint32(1); n <= MaxSlots; n++ {
		path := dir.Slot(int(n))
		lock, err := filelock.TryExclusive(path, mode)
		if errors.Is(err, fs.ErrPermission) {
			if _, serr := os.Lstat(path); serr == nil { // the file is closed to us, not the directory
				closed = err
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if lock != nil {
			return &Slot{Number: n, lock: lock}, nil
		}
	}
	if closed != nil {
		return nil, fmt.Errorf("%s: no slot of %d is free that this user may take: %w", dir, MaxSlots, closed)
	}
	return nil, fmt.Errorf("%s: %d producers are live, which is the most a log can have", dir, MaxSlots)
}

// Release gives the slot up. The caller holds none of the control's locks.
func (s *Slot) Release() { s.lock.Release() }

// JudgeIn returns the Judge of a log.
func JudgeIn(dir layout.Dir) Judge {
	return func(slot uint32) (*filelock.Lock, error) {
		lock, err := filelock.ProbeExclusive(dir.Slot(int(slot)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the lock file of producer %d was removed, so nobody can tell whether it lives; stop all producers and remove %s: %w",
				slot, dir.Control(), err)
		}
		return lock, explainClosed(err)
	}
}

// LiveSlots counts the producers that are alive. It stops at the first slot that
// was never used.
func LiveSlots(dir layout.Dir) (int, error) {
	live := 0
	for n := 1; n <= MaxSlots; n++ {
		lock, err := filelock.TryShared(dir.Slot(n))
		if errors.Is(err, fs.ErrNotExist) {
			return live, nil
		}
		if err != nil {
			return 0, explainClosed(err)
		}
		if lock == nil {
			live++
		}
		lock.Release()
	}
	return live, nil
}

// explainClosed says what to do about a slot's file that this user may not open.
// Whether its producer lives cannot be told then, and guessing would either take
// a living one's lock or wait for a dead one for ever.
func explainClosed(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("cannot tell whether that producer lives; give its file the group and the mode of the others: %w", err)
}
