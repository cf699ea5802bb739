package files

import (
	"io/fs"
	"os"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// The calls of the system that change a log's files, each through the seam.

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

// Truncate makes f size bytes long. It is for files that nobody has mapped
// beyond that.
func Truncate(f *os.File, size int64) error {
	return seam.DoFile("ftruncate", f, func() error { return f.Truncate(size) })
}

// SyncData makes what was written to f, through any mapping or descriptor,
// survive power loss, with the metadata needed to read it back.
func SyncData(f *os.File) error {
	return seam.DoFile("fdatasync", f, func() error { return syncData(f) })
}

// SyncAll is SyncData, and all other metadata as well.
func SyncAll(f *os.File) error {
	return seam.DoFile("fsync", f, f.Sync)
}

// OpenDir opens a directory, for its names or to sync it.
func OpenDir(path string) (*os.File, error) { return openFile(path, os.O_RDONLY, 0) }
