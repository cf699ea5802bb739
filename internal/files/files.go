// Package files opens, allocates, syncs and replaces the files of a log. All
// that differs between systems on this level is here.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// Whatever is made here gets its group, its owner and its mode from the log, not
// from the process that makes it: the group of the directory that it lies in;
// the directory's owner, if root makes it, so that root's work locks nobody out
// of his own log; and the mode that it is made with, whatever the umask is. A
// process that is no member of the directory's group cannot give it away: then
// the file keeps the group that the system gave it, without an error.

// Open opens a file that must be there and must be a regular file; it follows
// no symbolic link in the last element of the path.
func Open(path string, writable bool) (*os.File, error) {
	flag := os.O_RDONLY
	if writable {
		flag = os.O_RDWR
	}
	f, err := openFile(path, flag|NoFollow|NonBlock, 0)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("not a regular file but %s", fi.Mode().Type())}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// OpenSized is Open for a file that must be exactly size bytes long.
func OpenSized(path string, size int64, writable bool) (*os.File, error) {
	f, err := Open(path, writable)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil && fi.Size() != size {
		err = fmt.Errorf("%s has %d bytes where %d are expected: it was cut or is foreign", path, fi.Size(), size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// CreateAllocated creates a file of size zero bytes, with its blocks really
// allocated, so that no later store to a mapping of it can run out of disk. A
// file of that name is replaced.
func CreateAllocated(path string, size int64, mode fs.FileMode) (*os.File, error) {
	if err := Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := create(path, mode)
	if err != nil {
		return nil, err
	}
	err = unlessInterrupted(func() error {
		return seam.DoFile("fallocate", f, func() error { return allocate(f, size) })
	})
	if err != nil {
		f.Close()
		Remove(path)
		return nil, fmt.Errorf("allocate %d bytes for %s: %w", size, path, err)
	}
	return f, nil
}

// CreateEmpty creates an empty file, unless there is one of that name: then that
// one is left as it is. Where the filesystem has hard links, the file is complete
// when it gets its name, so that nobody whom its group and mode let in meets it
// without them.
func CreateEmpty(path string, mode fs.FileMode) error {
	tmp := TempName(path)
	f, err := create(tmp, mode)
	if err != nil {
		return err
	}
	err = errors.Join(f.Close(), Link(tmp, path))
	Remove(tmp)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	f, err = create(path, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// create makes a file that must not be there: a file that a stranger put in its
// place is neither opened nor given away.
func create(path string, mode fs.FileMode) (*os.File, error) {
	f, err := openFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|NoFollow, mode)
	if err != nil {
		return nil, err
	}
	if err := settle(f, filepath.Dir(path), mode); err != nil {
		f.Close()
		Remove(path)
		return nil, err
	}
	return f, nil
}

// TempMark stands in the name of each file that Replace has not finished, behind
// the name that the file will get. No name of a log's files contains it, those
// that users choose included.
const TempMark = "~tmp-"

// TempName returns a new name for a file that will be renamed to path when it is
// whole.
func TempName(path string) string {
	return fmt.Sprintf("%s%s%016x", path, TempMark, rand.Uint64())
}

// Replace puts a file with these bytes in the place of path: after a crash there
// is the old one or the new one, whole.
//
// The log's first producer of a boot sweeps up the unfinished files of the dead,
// and cannot tell them from those of a living consumer. Whose file was taken away
// makes it again.
func Replace(path string, data []byte, mode fs.FileMode) error {
	const attempts = 3
	for i := 1; ; i++ {
		err := tryReplace(path, mode, func(tmp *os.File) error { return WriteAt(tmp, data, 0) })
		if i == attempts || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// Copy puts a copy of all that f holds in the place of path, as Replace does.
func Copy(f *os.File, path string, mode fs.FileMode) error {
	return tryReplace(path, mode, func(tmp *os.File) error {
		b := make([]byte, 1<<20)
		for at := int64(0); ; {
			n, err := ReadAt(f, b, at)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if werr := WriteAt(tmp, b[:n], at); werr != nil || err != nil {
				return werr
			}
			at += int64(n)
		}
	})
}

func tryReplace(path string, mode fs.FileMode, write func(tmp *os.File) error) error {
	tmp, err := create(TempName(path), mode)
	if err != nil {
		return err
	}
	err = write(tmp)
	if err == nil {
		err = SyncAll(tmp)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = Rename(tmp.Name(), path)
	}
	if err != nil {
		Remove(tmp.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// MkdirTop creates a log's own directory, or leaves the one that is there alone.
// It takes neither owner nor group from the directory around it, but for what the
// system itself does: so whoever makes a log owns it, and a directory with setgid
// around it gives its group.
func MkdirTop(path string, mode fs.FileMode) error {
	err := mkdir(path, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return settleDir(path, "", mode)
}

// Mkdir creates a directory in a log's. One that is there stays, but gets group
// and mode if it is the caller's own: whoever made it may have died before.
func Mkdir(path string, mode fs.FileMode) error {
	err := mkdir(path, mode)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	serr := settleDir(path, filepath.Dir(path), mode)
	if err != nil {
		return nil
	}
	return serr
}

// Regrow gives a file that was cut, or has grown, a length. What it lacks becomes
// zeros, really allocated.
func Regrow(f *os.File, size int64) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if fi.Size() > size {
		return Truncate(f, size)
	}
	return seam.DoFile("write", f, func() error { return writeZeros(f, fi.Size(), size) })
}

// writeZeros is the allocation of systems without fallocate.
func writeZeros(f *os.File, from, size int64) error {
	zeros := make([]byte, max(0, min(size-from, 1<<20)))
	for at := from; at < size; {
		n, err := f.WriteAt(zeros[:min(size-at, int64(len(zeros)))], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
