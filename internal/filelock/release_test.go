package filelock

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// A lock that is not given back at the first try is at the second: else its own
// process would wait for it.
func TestReleaseTriesAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := TryExclusive(path, 0o600)
	if lock == nil || err != nil {
		t.Fatal(lock, err)
	}
	tries := 0
	stop := seam.Watch(filepath.Dir(path), func(c seam.Call, do func() error) error {
		if c.Op == "funlock" {
			if tries++; tries == 1 {
				return syscall.EIO
			}
		}
		return do()
	})
	lock.Release()
	stop()
	if again, err := TryExclusive(path, 0o600); again == nil || err != nil || tries != 2 {
		t.Errorf("taken again: %v, %v, after %d tries", again, err, tries)
	}
}
