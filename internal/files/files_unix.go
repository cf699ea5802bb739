//go:build unix

package files

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NoFollow is the open flag that refuses a symbolic link.
const NoFollow = unix.O_NOFOLLOW

// nonBlock keeps an open from hanging on a FIFO that somebody put in a file's
// place.
const nonBlock = unix.O_NONBLOCK

// SyncDir makes the names in a directory survive power loss.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return SyncOpenDir(d)
}

// SyncOpenDir is SyncDir for a directory that is open: its error is the sync's
// own.
func SyncOpenDir(d *os.File) error {
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// Identity returns device and inode of a file: the same for all its names and
// mounts, and different for every copy.
func Identity(f *os.File) (dev, ino uint64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, 0, &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	return uint64(st.Dev), uint64(st.Ino), nil
}
