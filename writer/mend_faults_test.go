package writer_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// damageHeaders destroys a segment's header and its copy.
func damageHeaders(t *testing.T, dir layout.Dir, base int64) {
	t.Helper()
	for _, position := range []int64{40, 2048 + 40} {
		logtest.Overwrite(t, dir, base, position, []byte("garbage!"))
	}
}

// A call that fails just then says nothing of what the index knows: mending ends
// with its error and gives nothing up, and the next one finds all of it.
func TestMendGivesNothingUpForAnErrorOfTheSystem(t *testing.T) {
	for op, errno := range map[string]syscall.Errno{"open": syscall.EMFILE, "mmap": syscall.ENOMEM, "fdatasync": syscall.EIO} {
		t.Run(op, func(t *testing.T) {
			dir := newDamaged(t, true)
			damageHeaders(t, dir, 3)
			path := dir.Segment(3)
			if op == "open" {
				path = dir.Index(3)
			}
			armed, hit := false, false
			stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
				armed = armed || c.Op == "rename" && c.Path == dir.Control()
				if armed && !hit && c.Op == op && c.Path == path {
					hit = true
					return errno
				}
				return do()
			})
			_, err := writer.Mend(context.Background(), dir, writer.Options{Logger: slog.New(slog.DiscardHandler)}, true)
			stop()
			if !hit || !errors.Is(err, errno) {
				t.Fatalf("mending gave %v", err)
			}
			mend(t, dir, true)
			if got := readAround(t, dir); len(got) != 10 || slices.Contains(got, "lost 4") {
				t.Errorf("read %q", got)
			}
		})
	}
}

// The sync of the segments that recovery passes over is as final as any.
func TestFailedSyncBeforeRecoveryIsRemembered(t *testing.T) {
	dir := newDamaged(t, true)
	reboot(t, dir)
	failed := false
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "fdatasync" && c.Path == dir.Segment(0) && !failed {
			failed = true
			return syscall.EIO
		}
		return do()
	})
	defer stop()
	if _, err := tryOpen(t, dir); !errors.Is(err, control.ErrSyncFailed) {
		t.Fatalf("opening gave %v", err)
	}
	w, err := tryOpen(t, dir)
	if err == nil {
		_, err = w.Append(context.Background(), values("new"))
		w.Close()
	}
	if !errors.Is(err, control.ErrSyncFailed) {
		t.Errorf("after that, an append gave %v", err)
	}
}

// Where nobody knows how many records were in the segment that is gone, none of the
// offsets that it can have had is given out again.
func TestMendGivesNoOffsetOutTwice(t *testing.T) {
	for _, boot := range []string{"the same boot", "another boot"} {
		t.Run(boot, func(t *testing.T) {
			dir := newDamaged(t, true)
			w := openWriter(t, dir)
			for range 50 { // visible, and known to nobody else
				mustAppend(t, w, "visible")
			}
			w.Close()
			if boot == "another boot" {
				reboot(t, dir)
			}
			remove(t, dir.Segment(9))
			mend(t, dir, true)
			if base := mustAppend(t, openWriter(t, dir), "new"); base < 60 {
				t.Errorf("offset %d was given out before", base)
			}
			if got := readAround(t, dir); len(got) < 60 || got[59] != "lost 59" || got[len(got)-1] != "new" {
				t.Errorf("read %d records", len(got))
			}
		})
	}
}

// A segment that was cut gets its length back, and loses what was cut off only.
func TestMendCutSegment(t *testing.T) {
	tests := map[string]struct {
		size int64
		lost []string
	}{
		"the zeros at its end":    {smallest - 1024, nil},
		"within the last record":  {4096 + 2*20_040 + 100, []string{"lost 5"}},
		"all but the first":       {4096 + 20_040 + 8, []string{"lost 4", "lost 5"}},
		"all but the header":      {4096, []string{"lost 3", "lost 4", "lost 5"}},
		"grown by what is no use": {smallest + 4096, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := newDamaged(t, true)
			if err := os.Truncate(dir.Segment(3), test.size); err != nil {
				t.Fatal(err)
			}
			mend(t, dir, true)
			got := slices.DeleteFunc(readAround(t, dir), func(s string) bool { return !strings.HasPrefix(s, "lost") })
			if !slices.Equal(got, test.lost) {
				t.Errorf("%q, want %q", got, test.lost)
			}
			if base := mustAppend(t, openWriter(t, dir), "new"); base != 10 {
				t.Errorf("the next offset is %d", base)
			}
		})
	}
}

// Another log's segment in the place of one's own is not adopted: its records were
// never appended here.
func TestMendAdoptsNoForeignSegment(t *testing.T) {
	dir, other := newDamaged(t, true), newDamaged(t, true)
	for _, name := range []func(layout.Dir) string{
		func(d layout.Dir) string { return d.Segment(3) },
		func(d layout.Dir) string { return d.Index(3) },
	} {
		foreign, err := os.ReadFile(name(other))
		if err == nil {
			err = os.WriteFile(name(dir), foreign, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	mend(t, dir, true)
	if got := readAround(t, dir); len(got) != 10 || got[3] != "lost 3" || got[5] != "lost 5" {
		t.Errorf("read %q", got)
	}
}

// A reader that was told of damage is not taken past more than it was told.
func TestSkipDamageNoFurtherThanTold(t *testing.T) {
	dir := newDamaged(t, true)
	if err := os.Rename(dir.Segment(9), filepath.Join(t.TempDir(), "away")); err != nil {
		t.Fatal(err)
	}
	src, err := reader.NewSource(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := reader.NewReader(src, reader.Options{From: 8, Until: reader.Unbounded})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec segment.Record
	var told *segment.DamageError
	for told == nil {
		if _, err := r.TryNext(&rec); err != nil && !errors.As(err, &told) {
			t.Fatal(err)
		}
	}
	mend(t, dir, true) // now offset 9 and more are marked as lost
	mustAppend(t, openWriter(t, dir), "new")
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.TryNext(&rec); !errors.As(err, &told) || told.First != 9 || told.Last < 9 {
		t.Errorf("stepped over offset 9 without a word: %v, next is %d", err, r.Offset())
	}
}

// A word of the control file that is damaged keeps nobody from mending the log.
func TestMendDamagedActive(t *testing.T) {
	for _, active := range []byte{1, 200} { // neither is a segment
		dir := newDamaged(t, true)
		f, err := os.OpenFile(dir.Control(), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte{active}, 192); err != nil {
			t.Fatal(err)
		}
		if m := mend(t, dir, false); len(m.Findings) != 1 || m.Findings[0].What.Segment != "control" {
			t.Errorf("found %+v", m.Findings)
		}
		mend(t, dir, true)
		if base := mustAppend(t, openWriter(t, dir), "new"); base != 10 {
			t.Errorf("the next offset is %d", base)
		}
		if got := readAround(t, dir); len(got) != 11 || slices.Contains(got, "lost 9") {
			t.Errorf("read %q", got)
		}
	}
}
