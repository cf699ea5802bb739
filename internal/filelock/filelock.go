// Package filelock holds whole-file locks that the kernel frees when their
// holder dies. They are what tells a dead process from a slow or stopped one:
// no process ids, no heartbeats, no clocks, so the answer is right across PID
// namespaces.
//
// Each Lock has an open file of its own, so two locks of one process exclude
// each other as those of two processes do.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/seam"
)

// A Lock is a lock that is held. Release frees it.
type Lock struct {
	l *flock.Flock
}

// TryExclusive takes an exclusive lock on the file, which it creates with mode
// perm if it is missing. It returns nil, nil when somebody else holds a lock.
func TryExclusive(path string, perm fs.FileMode) (*Lock, error) {
	lock, err := ProbeExclusive(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return lock, err
	}
	if err := files.CreateEmpty(path, perm); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return ProbeExclusive(path)
}

// ProbeExclusive is TryExclusive for a file that must exist already; it needs
// only read permission.
func ProbeExclusive(path string) (*Lock, error) {
	return try(path, (*flock.Flock).TryLock)
}

// TryShared takes a shared lock on a file that must exist.
func TryShared(path string) (*Lock, error) {
	return try(path, (*flock.Flock).TryRLock)
}

func try(path string, take func(*flock.Flock) (bool, error)) (*Lock, error) {
	l := flock.New(path, flock.SetFlag(os.O_RDONLY|files.NoFollow|files.NonBlock))
	ok := false
	err := seam.Do("flock", path, func() (err error) {
		ok, err = take(l)
		return err
	})
	if err != nil {
		_ = l.Close() // a lock that a test had fail may be held
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !ok {
		return nil, nil
	}
	return &Lock{l: l}, nil
}

// Exclusive waits for an exclusive lock until ctx ends.
func Exclusive(ctx context.Context, path string, perm fs.FileMode) (*Lock, error) {
	const firstPause, longPause = time.Millisecond, 100 * time.Millisecond
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		lock, err := TryExclusive(path, perm)
		if lock != nil || err != nil {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %s: held by another process: %w", path, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// SameFile reports whether the locked file is the one that fi describes. A path
// may have come to mean another file between two opens.
func (l *Lock) SameFile(fi fs.FileInfo) bool {
	mine, err := l.l.Stat()
	return err == nil && os.SameFile(mine, fi)
}

// Release frees the lock. Releasing twice, or a nil lock, is harmless.
func (l *Lock) Release() {
	if l == nil {
		return
	}
	// Where it fails, the file stays open, and with it the lock held.
	const attempts = 3
	for range attempts {
		if seam.Do("funlock", l.l.Path(), l.l.Unlock) == nil {
			return
		}
	}
}
