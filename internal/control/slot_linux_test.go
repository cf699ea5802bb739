package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/layout"
)

// TestSlotsClosedToThisUser: a slot whose file one may not open is passed over;
// a directory that one may not use is an error.
func TestSlotsClosedToThisUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	const uid = 2001
	parent, err := os.MkdirTemp("", "mlog-slots-") // unlike t.TempDir's, in a place that others can reach
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	d := layout.Dir(filepath.Join(parent, "log"))
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(parent, 0o755), os.Mkdir(string(d), 0o777), os.Chmod(string(d), 0o755), os.Mkdir(d.Producers(), 0o755))
	as := func(do func()) {
		t.Helper()
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and never unlocked: this thread ends with the goroutine
			if _, err := unix.SetfsuidRetUid(uid); err != nil {
				t.Error(err)
				return
			}
			do()
		}()
		<-done
	}
	must(os.WriteFile(d.Slot(1), nil, 0o600), os.WriteFile(d.Slot(2), nil, 0o644))
	as(func() {
		s, err := TakeSlot(d, 0o600)
		if err != nil || s.Number != 2 {
			t.Errorf("%+v, %v; want slot 2", s, err)
			return
		}
		if _, err := TakeSlot(d, 0o600); !errors.Is(err, fs.ErrPermission) { // the next file cannot be made
			t.Errorf("in a directory that is not writable: %v", err)
		}
		s.Release()
		if _, err := LiveSlots(d); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("producers were counted that nobody can judge: %v", err)
		}
		if _, err := JudgeIn(d)(1); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("a producer was judged without its file: %v", err)
		}
	})
	must(os.Chmod(d.Producers(), 0o700))
	as(func() {
		if s, err := TakeSlot(d, 0o600); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("in a closed directory: %+v, %v", s, err)
		}
	})
}
