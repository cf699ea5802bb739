package group

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
)

// Clamp moves committed offsets that lie behind the log's end back to it. After
// a power loss the log may have lost visible records that a group had read; what
// is appended in their place must not be skipped. The caller excludes producers,
// but not consumers: one that has the group open already keeps its file.
func Clamp(dir layout.Dir, logID [16]byte, end int64) error {
	names, err := dir.GroupNames()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, name := range names {
		if err := clamp(dir, name, logID, end); err != nil {
			return fmt.Errorf("group %s: %w", name, err)
		}
	}
	return nil
}

func clamp(dir layout.Dir, name string, logID [16]byte, end int64) error {
	f, err := files.OpenSized(dir.Group(name), fileBytes, true)
	if errors.Is(err, fs.ErrPermission) {
		return clampUnwritable(dir, name, logID, end)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ELOOP) {
		return err // of the system: the file may well hold an offset that is to be moved
	}
	if err != nil {
		return nil // foreign, or deleted just now
	}
	defer f.Close()
	b := make([]byte, fileBytes)
	if _, err := files.ReadAt(f, b, 0); err != nil {
		return err
	}
	latest, err := decode(b, logID)
	if err != nil || latest.sequence == 0 || latest.offset <= end {
		return nil // a damaged group file is for the group's consumer to report
	}
	if latest.sequence == math.MaxUint64 { // forged: there is no commit behind this one
		return clampUnwritable(dir, name, logID, end)
	}
	p := place{sequence: latest.sequence + 1, offset: end}
	if err := files.WriteAt(f, p.encode(logID), p.position()); err != nil {
		return err
	}
	return files.SyncAll(f)
}

// clampUnwritable puts a new file in the place of one that its owner lets us
// read but not write.
func clampUnwritable(dir layout.Dir, name string, logID [16]byte, end int64) error {
	offset, committed, err := Read(dir, name, logID)
	if err != nil || !committed || offset <= end {
		return nil
	}
	fi, err := files.Lstat(dir.Group(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was deleted just now
	}
	if err != nil {
		return err
	}
	return files.Replace(dir.Group(name), Encode(logID, end), fi.Mode().Perm())
}
