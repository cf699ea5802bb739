package filelock

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// CanShare reports whether Share locks anything here. Where it does not, nobody
// can tell whether a file is in use.
const CanShare = true

// Share takes a shared lock on f itself, which lasts until Unshare, or until f is
// closed and nothing of it is mapped any more. It reports false when somebody holds
// the exclusive lock.
//
// It is a lock of the open file description by fcntl, and not one by flock: the
// exclusive one takes write permission, so that who may only read holds up nobody.
func Share(f *os.File) (bool, error) { return setLock(f, "flock", unix.F_RDLCK) }

// Unshare ends a Share. If it fails, the lock lasts until f is closed.
func Unshare(f *os.File) error {
	_, err := setLock(f, "funlock", unix.F_UNLCK)
	return err
}

// IsShared reports whether anybody holds a Share of f, which is open for writing:
// f itself counts if it does not. For a moment it takes the exclusive lock.
func IsShared(f *os.File) (bool, error) {
	free, err := setLock(f, "flock", unix.F_WRLCK)
	if free {
		err = Unshare(f)
	}
	return !free, err
}

func setLock(f *os.File, op string, kind int16) (bool, error) {
	err := seam.DoFile(op, f, func() error {
		for {
			whole := unix.Flock_t{Type: kind, Whence: io.SeekStart}
			if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &whole); err != unix.EINTR {
				return err
			}
		}
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return true, nil
}
