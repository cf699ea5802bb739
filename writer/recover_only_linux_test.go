package writer_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
)

// onlySegment leaves a log whose only segment is a recycled one that was never synced,
// with the header of an earlier life, as a power loss may. It returns the file too.
func onlySegment(t *testing.T) (dir layout.Dir, base int64, left []byte) {
	t.Helper()
	dir, base, earlier := recycledEnd(t)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bases[:len(bases)-1] { // it has become the first one
		_ = os.Remove(dir.Segment(b))
		_ = os.Remove(dir.Index(b))
	}
	for i := range layout.MostSpares {
		_ = os.Remove(dir.SpareAt(i))
	}
	logtest.Overwrite(t, dir, base, 0, earlier)
	if left, err = os.ReadFile(dir.Segment(base)); err != nil {
		t.Fatal(err)
	}
	return dir, base, left
}

// changing are the calls that change something on disk.
var changing = []string{"mkdir", "fallocate", "write", "rename", "link", "unlink", "fdatasync", "fsync"}

// Whatever ends the recovery of such a log, after or before whichever call (a disk
// that is full, for that call or from then on, or a death, after which no call
// is made), the next recovery opens it, at the same offset, and the old file is kept.
func TestRecoveryOfOnlySegmentCutShort(t *testing.T) {
	origin, base, left := onlySegment(t)
	for name, links := range map[string]bool{"with links": true, "without links": false} {
		t.Run(name, func(t *testing.T) {
			failed := 0
			for n, more := int64(1), true; more && n < 100; n++ {
				for _, onward := range []bool{false, true} {
					dir := layout.Dir(filepath.Join(t.TempDir(), "log"))
					if err := os.CopyFS(string(dir), os.DirFS(string(origin))); err != nil {
						t.Fatal(err)
					}
					var calls atomic.Int64
					stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
						if !slices.Contains(changing, c.Op) {
							return do()
						}
						if c.Op == "link" && !links {
							return syscall.EPERM
						}
						at := calls.Add(1)
						if at == n || onward && at > n {
							return syscall.ENOSPC
						}
						return do()
					})
					w, err := tryOpen(t, dir)
					if err == nil {
						w.Close()
					} else {
						failed++
					}
					stop()
					more = calls.Load() >= n
					afterCutShort(t, dir, base, left, err)
				}
				if t.Failed() {
					t.Fatalf("call %d", n)
				}
			}
			if failed < 12 {
				t.Errorf("only %d recoveries were cut short", failed)
			}
		})
	}
}

func afterCutShort(t *testing.T, dir layout.Dir, base int64, left []byte, ended error) {
	t.Helper()
	if bases, err := dir.Segments(); len(bases) == 0 {
		t.Errorf("no segment is there (%v) after %v", err, ended)
	}
	if errors.Is(ended, control.ErrSyncFailed) { // remembered up to the next boot
		_ = os.Remove(dir.ControlFailed())
	}
	w, err := tryOpen(t, dir)
	if err != nil {
		t.Errorf("the second recovery, after %v: %v", ended, err)
		return
	}
	defer w.Close()
	if got := mustAppend(t, w, "next"); got != base {
		t.Errorf("the next record has offset %d, want %d, after %v", got, base, ended)
	}
	for _, path := range cutFiles(t, dir) {
		if kept, err := os.ReadFile(path); err == nil && bytes.Equal(kept, left) {
			return
		}
	}
	t.Errorf("the old file is not in cut/, after %v", ended)
}
