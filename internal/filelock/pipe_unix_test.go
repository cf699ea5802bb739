//go:build unix

package filelock_test

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
)

// TestPipeHoldsUpNobody: who may put a named pipe in the place of a lock file, or
// of the directory around it, must not make others wait in the call that opens it.
func TestPipeHoldsUpNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Skip("this filesystem has no named pipes: ", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, try := range []func() (*filelock.Lock, error){
			func() (*filelock.Lock, error) { return filelock.TryExclusive(path, 0o600) },
			func() (*filelock.Lock, error) { return filelock.TryShared(path) },
		} {
			if lock, err := try(); err == nil {
				lock.Release()
			}
		}
		if d, err := files.OpenDir(path); err == nil {
			d.Close()
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("an open of a named pipe does not return")
	}
}
