package control

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// A control file that cannot be read just now is not stale: else recovery would
// make it anew within the boot, and a failed sync would be forgotten.
func TestUnreadableIsNotStale(t *testing.T) {
	_, path := newControl(t)
	stop := seam.Watch(filepath.Dir(path), func(c seam.Call, do func() error) error {
		if c.Op == "read" {
			return syscall.EIO
		}
		return do()
	})
	_, err := Open(path, testID, true)
	stop()
	if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrStale) {
		t.Errorf("%v", err)
	}
	open(t, path)
}
