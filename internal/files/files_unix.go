//go:build unix

package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// NoFollow is the open flag that refuses a symbolic link.
const NoFollow = unix.O_NOFOLLOW

// NonBlock keeps an open from hanging on a FIFO that somebody put in a file's
// place.
const NonBlock = unix.O_NONBLOCK

// Unlinked reports whether f is known to have no name left: its disk is free once
// nobody has it open or mapped.
func Unlinked(f *os.File) bool {
	var st unix.Stat_t
	err := seam.DoFile("fstat", f, func() error { return unix.Fstat(int(f.Fd()), &st) })
	return err == nil && st.Nlink == 0
}

// settle gives f, made just now, the group of the directory like, the owner too
// if this process is root's, and then the mode: a change of group or owner may
// clear bits of it. With an empty like only the mode is set.
func settle(f *os.File, like string, mode fs.FileMode) error {
	if like != "" {
		if err := chownLike(f, like); err != nil {
			return err
		}
	}
	err := seam.DoFile("fchmod", f, func() error { return f.Chmod(mode) })
	if mode&fs.ModeSetgid != 0 && errors.Is(err, fs.ErrPermission) {
		// Some sandboxes forbid the bit, and the BSDs do for a group that one is no
		// member of. It is a help to other programs: ours set the group themselves.
		err = f.Chmod(mode &^ fs.ModeSetgid)
	}
	return err
}

func chownLike(f *os.File, like string) error {
	var have, want unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &have); err != nil {
		return &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	if err := unix.Stat(like, &want); err != nil {
		return &os.PathError{Op: "stat", Path: like, Err: err}
	}
	if have.Gid != want.Gid {
		if err := chown(f, -1, int(want.Gid)); err != nil && !refused(err) {
			return err
		}
	}
	if os.Geteuid() == 0 && have.Uid != want.Uid {
		if err := chown(f, int(want.Uid), -1); err != nil && !refused(err) {
			return err
		}
	}
	return nil
}

func chown(f *os.File, uid, gid int) error {
	return seam.DoFile("fchown", f, func() error { return f.Chown(uid, gid) })
}

// refused reports whether a change of owner or group is not this process's to
// make: it is no member of the group, or root without that capability, or the id
// means nothing in its user namespace, or the filesystem knows no owners.
func refused(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS)
}

// settleDir is settle for a directory, if it is this user's. A mode that gives
// the group anything comes with setgid, so that other programs' files get the
// group as well.
func settleDir(path, like string, mode fs.FileMode) error {
	d, err := openFile(path, os.O_RDONLY|unix.O_DIRECTORY|NoFollow, 0)
	if err != nil {
		return err
	}
	defer d.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(d.Fd()), &st); err != nil {
		return &os.PathError{Op: "fstat", Path: path, Err: err}
	}
	if int(st.Uid) != os.Geteuid() {
		return nil
	}
	if mode&0o070 != 0 {
		mode |= fs.ModeSetgid
	}
	return settle(d, like, mode)
}

// SyncDir makes the names in a directory survive power loss.
func SyncDir(path string) error {
	d, err := OpenDir(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return SyncOpenDir(d)
}

// SyncOpenDir is SyncDir for a directory that is open: its error is the sync's
// own.
func SyncOpenDir(d *os.File) error {
	if err := SyncAll(d); err != nil {
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
