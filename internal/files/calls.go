package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// The calls of the system that concern a log's files, each through the seam.

func openFile(path string, flag int, mode fs.FileMode) (f *os.File, err error) {
	err = seam.Do("open", path, func() error {
		f, err = os.OpenFile(path, flag, mode)
		return err
	})
	if err != nil {
		f.Close() // harmless on nil; not nil if a test made a call fail that had succeeded
		return nil, err
	}
	return f, nil
}

func mkdir(path string, mode fs.FileMode) error {
	return seam.Do("mkdir", path, func() error { return os.Mkdir(path, mode) })
}

// Rename gives a file another name, in the place of whatever has that.
func Rename(from, to string) error {
	return seam.Do("rename", from, func() error { return os.Rename(from, to) })
}

// Link gives a file a second name, which must not be there.
func Link(path, second string) error {
	return seam.Do("link", path, func() error { return os.Link(path, second) })
}

// Remove takes a file's name away.
func Remove(path string) error {
	return seam.Do("unlink", path, func() error { return os.Remove(path) })
}

// WriteAt writes all of data at a position of f.
func WriteAt(f *os.File, data []byte, position int64) error {
	return seam.DoFile("write", f, func() error {
		_, err := f.WriteAt(data, position)
		return err
	})
}

// ReadAt fills b from a position of f. The error is io.EOF if the file ends
// before.
func ReadAt(f *os.File, b []byte, position int64) (n int, err error) {
	err = seam.DoFile("read", f, func() error {
		n, err = f.ReadAt(b, position)
		return err
	})
	return n, err
}

// Names lists what is in a directory, in no order.
func Names(path string) (names []string, err error) {
	d, err := OpenDir(path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	err = seam.DoFile("getdents", d, func() error {
		names, err = d.Readdirnames(-1)
		return err
	})
	return names, err
}

// Lstat says what a name stands for, without following a link.
func Lstat(path string) (fi fs.FileInfo, err error) {
	err = seam.Do("stat", path, func() error {
		fi, err = os.Lstat(path)
		return err
	})
	return fi, err
}

// Truncate makes f size bytes long. It is for files that nobody has mapped
// beyond that.
func Truncate(f *os.File, size int64) error {
	return seam.DoFile("ftruncate", f, func() error { return f.Truncate(size) })
}

// ZeroRange makes f, within its length, read as zeros in [from, to), for the price
// of metadata. It reports false where the filesystem cannot, or not now: the bytes
// are then what they were, or zeros, for the caller to overwrite. In either case
// their blocks are allocated; an error says that they may not be, and that nobody
// may store to a mapping of them.
func ZeroRange(f *os.File, from, to int64) (done bool, err error) {
	if from >= to {
		return true, nil
	}
	err = unlessInterrupted(func() error {
		return seam.DoFile("fallocate", f, func() error { return zeroRange(f, from, to) })
	})
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return err == nil, nil
	}
	// XFS gives the blocks up before it allocates them anew, which a full disk prevents.
	return false, FillHoles(f, from, to)
}

// FillHoles allocates the blocks that f, within its length, lacks in [from, to), and
// changes no byte. ZeroRange may have given them up and then have been cut short.
// Where a filesystem cannot allocate it has made no holes either, and that is no
// error.
func FillHoles(f *os.File, from, to int64) error {
	if from >= to {
		return nil
	}
	err := unlessInterrupted(func() error {
		return seam.DoFile("fallocate", f, func() error { return reallocate(f, from, to) })
	})
	if err != nil {
		return fmt.Errorf("allocate bytes %d to %d of %s: %w", from, to, f.Name(), err)
	}
	return nil
}

// SyncData makes what was written to f, through any mapping or descriptor,
// survive power loss, with the metadata needed to read it back.
func SyncData(f *os.File) error {
	return unlessInterrupted(func() error {
		return seam.DoFile("fdatasync", f, func() error { return syncData(f) })
	})
}

// SyncMapped is SyncData for the bytes from from up to to of f, rounded to whole
// pages, and spares the pages around them. data is f, mapped from its beginning.
// A failed write-back is reported as by SyncData. Where the system cannot sync a
// part of a file it syncs all of it.
func SyncMapped(f *os.File, data []byte, from, to int64) error {
	page := int64(os.Getpagesize())
	from, to = from&^(page-1), min((to+page-1)&^(page-1), int64(len(data)))
	return unlessInterrupted(func() error {
		return seam.DoRange("msync", f, from, to, func() error { return syncMapped(f, data[from:to]) })
	})
}

// DirtyPages returns how many pages of f in [from, to) are in memory and to be written to
// disk, where the system can tell (cachestat: Linux 6.5).
func DirtyPages(f *os.File, from, to int64) (n int64, ok bool) {
	if from >= to {
		return 0, true
	}
	err := seam.DoRange("cachestat", f, from, to, func() (err error) {
		n, err = cachedDirty(f, from, to)
		return err
	})
	return n, err == nil
}

// unlessInterrupted makes a call of the system until no signal ends it. Those of
// package os do so by themselves.
func unlessInterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// SyncAll is SyncData, and all other metadata as well.
func SyncAll(f *os.File) error {
	return seam.DoFile("fsync", f, f.Sync)
}

// OpenDir opens a directory, for its names or to sync it.
func OpenDir(path string) (*os.File, error) { return openFile(path, os.O_RDONLY|NonBlock, 0) }
