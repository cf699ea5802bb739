package writer_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
)

// rebootedLog returns a copy of a log of three segments of which nothing was ever
// synced, as after a boot whose disk has all of it, and what it holds.
func rebootedLog(t *testing.T) (layout.Dir, []string) {
	t.Helper()
	dir := newLog(t)
	w := openWriter(t, dir)
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		mustAppend(t, w, big(name))
	}
	w.Close()
	return logtest.Copy(t, dir), readAll(t, dir)
}

// A segment that cannot be read or mapped just now, for want of descriptors or
// memory or by a disk that errs, is neither damaged nor a file that never got its
// header on disk. Recovery ends with that error and has changed nothing.
func TestRecoveryTellsFailuresFromDamage(t *testing.T) {
	for _, op := range []string{"open", "read", "mmap"} {
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.EMFILE, syscall.ENOMEM} {
			dir, want := rebootedLog(t)
			for nth := int32(1); ; nth++ {
				var calls atomic.Int32
				stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
					if c.Op == op && strings.HasSuffix(c.Path, ".seg") && calls.Add(1) == nth {
						return errno
					}
					return do()
				})
				w, err := tryOpen(t, dir)
				stop()
				if err == nil {
					w.Close()
					break
				}
				if !errors.Is(err, errno) || errors.Is(err, segment.ErrDamaged) {
					t.Fatalf("%s %d: %v gave %v", op, nth, errno, err)
				}
			}
			if got := readAll(t, dir); brief(got) != brief(want) {
				t.Errorf("%s, %v: after recovery there is %s, want %s", op, errno, brief(got), brief(want))
			}
			if _, err := os.Lstat(dir.Cut()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s, %v: recovery moved something aside, %v", op, errno, err)
			}
		}
	}
}

// A log whose first files cannot be looked at has not lost its segments.
func TestFirstOpenTellsFailuresFromDamage(t *testing.T) {
	dir := newLog(t)
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "stat" && c.Path == dir.Control() {
			return syscall.ENOMEM
		}
		return do()
	})
	_, err := tryOpen(t, dir)
	stop()
	if !errors.Is(err, syscall.ENOMEM) || errors.Is(err, segment.ErrDamaged) {
		t.Errorf("%v", err)
	}
	mustAppend(t, openWriter(t, dir), "a")
}

// A roll whose last step is reported as failed has not happened, even if the call
// was made: the process lives on, and appends to the segment before.
func TestRollReportedAsFailed(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for _, name := range []string{"a", "b", "c"} {
		mustAppend(t, w, big(name))
	}
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		err := do()
		if c.Op == "rename" && c.Path == dir.Unfinished() && err == nil {
			err = &fs.PathError{Op: "rename", Path: c.Path, Err: syscall.EIO}
		}
		return err
	})
	_, err := w.Append(context.Background(), values(big("d")))
	stop()
	if !errors.Is(err, syscall.EIO) {
		t.Fatalf("the append that rolls: %v", err)
	}
	if base := mustAppend(t, w, "small"); base != 3 {
		t.Errorf("offset %d, want 3", base)
	}
	mustAppend(t, w, big("e"))
	mustAppend(t, openWriter(t, dir), big("f"))
	if got := brief(readAll(t, dir)); got != `6 ["a" "b" "c" "small" "e" "f"]` {
		t.Errorf("there is %s", got)
	}
}

// Calls that a signal ends are made again: a sync that was interrupted did not
// fail, and poisons nothing.
func TestInterruptedCallsAreMadeAgain(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	var interrupted atomic.Int32
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if (c.Op == "fdatasync" || c.Op == "msync" || c.Op == "fallocate") && interrupted.Add(1)%2 == 1 {
			return syscall.EINTR
		}
		return do()
	})
	defer stop()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		mustAppend(t, w, big(name))
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Error(err)
	}
	if interrupted.Load() < 4 {
		t.Errorf("%d calls", interrupted.Load())
	}
}

// A control file put aside by a repair that was cut short, which cannot be opened
// just now, has not gone: recovery must not go on without it.
func TestRecoveryTellsFailureFromNoRepair(t *testing.T) {
	dir := newLog(t)
	mustAppend(t, openWriter(t, dir), "a")
	rebooted := logtest.Copy(t, dir)
	stop := seam.Watch(string(rebooted), func(c seam.Call, do func() error) error {
		if c.Op == "open" && c.Path == rebooted.ControlAside() {
			return syscall.EMFILE
		}
		return do()
	})
	_, err := tryOpen(t, rebooted)
	stop()
	if !errors.Is(err, syscall.EMFILE) {
		t.Errorf("%v", err)
	}
	mustAppend(t, openWriter(t, rebooted), "b")
}

// A sync that fails in a recovery is as final as any: the next attempt would find
// clean what was never written. Mending writes it again.
func TestFailedSyncInRecoveryIsRemembered(t *testing.T) {
	for nth := int32(1); ; nth++ {
		dir := unsynced(t)
		var calls atomic.Int32
		stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
			isSync := c.Op == "fdatasync" || c.Op == "msync" || c.Op == "fsync" && c.Path == string(dir)
			if isSync && calls.Add(1) == nth {
				return syscall.EIO
			}
			return do()
		})
		_, err := tryOpen(t, dir)
		stop()
		if calls.Load() < nth {
			if err != nil || nth < 3 {
				t.Errorf("recovery makes %d syncs only, %v", calls.Load(), err)
			}
			return
		}
		if !errors.Is(err, control.ErrSyncFailed) || !errors.Is(err, syscall.EIO) {
			t.Fatalf("sync %d failed, and opening gave %v", nth, err)
		}
		w, err := tryOpen(t, dir)
		if err == nil {
			_, err = w.Append(context.Background(), values("new"))
			w.Close()
		}
		if !errors.Is(err, control.ErrSyncFailed) {
			t.Errorf("sync %d failed, and the next append gave %v", nth, err)
		}
		if got := readAll(t, dir); len(got) != 6 {
			t.Errorf("%q can be read", got)
		}
		mend(t, dir, true)
		if base := mustAppend(t, openWriter(t, dir), "new"); base != 6 {
			t.Errorf("after mending the next offset is %d, want 6", base)
		}
	}
}
