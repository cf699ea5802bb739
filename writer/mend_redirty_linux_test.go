package writer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// dirtyPages returns how many pages of [from, to) the next sync would write.
func dirtyPages(t *testing.T, f *os.File, from, to int64) uint64 {
	t.Helper()
	var stat unix.Cachestat_t
	if err := unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{Off: uint64(from), Len: uint64(to - from)}, &stat, 0); err != nil {
		t.Skipf("the kernel does not tell which pages are dirty (Linux 6.5 does): %v", err)
	}
	return stat.Dirty
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

const page = 4096

// clean has the kernel count all pages of a segment as clean, as it does after a
// write-back that failed.
func clean(t *testing.T, f *os.File) {
	t.Helper()
	if _, err := f.WriteAt([]byte{0}, smallest-1); err != nil { // behind all batches, so a zero it is
		t.Fatal(err)
	}
	if dirtyPages(t, f, 0, smallest) == 0 {
		t.Skip("the filesystem of the temporary directory keeps no account of dirty pages")
	}
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	if n := dirtyPages(t, f, 0, smallest); n != 0 {
		t.Fatalf("%d pages of %s are dirty after a sync", n, f.Name())
	}
}

// mendDropped mends a log in which a sync failed and says which of the segments,
// given with the position from which on the sync may have dropped something, were
// not made dirty again before mending looked at anything.
func mendDropped(t *testing.T, dir layout.Dir, from map[int64]int64) {
	t.Helper()
	type dropped struct {
		file *os.File
		from int64
		maps int
	}
	all := make(map[string]*dropped)
	for base, position := range from {
		d := &dropped{file: openFile(t, dir.Segment(base)), from: position}
		clean(t, d.file)
		all[dir.Segment(base)] = d
	}
	began := false
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		began = began || c.Op == "rename" && c.Path == dir.Control()
		d := all[c.Path]
		if !began || d == nil || c.Op != "mmap" {
			return do()
		}
		if d.maps++; d.maps == 2 { // the first was to make it dirty, this is to look at it
			for at := d.from &^ (page - 1); at < smallest; at += page {
				if dirtyPages(t, d.file, at, at+page) == 0 {
					t.Errorf("%s: the page at %d is not written again", c.Path, at)
				}
			}
			if dirtyPages(t, d.file, 0, page) == 0 {
				t.Errorf("%s: its header is not written again", c.Path)
			}
		}
		return do()
	})
	defer stop()
	if m := mend(t, dir, true); !m.Done {
		t.Errorf("not mended: %+v", m)
	}
	for path, d := range all {
		if d.maps < 2 {
			t.Errorf("%s was mapped %d times, so this tested nothing", path, d.maps)
		}
	}
}

// A failed sync may have dropped pages that the kernel has counted as clean since.
// Each page from the durable mark on is dirty again before the coming sync.
func TestMendWritesAgainWhatAFailedSyncDropped(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for i := range 4 {
		mustAppend(t, w, big(fmt.Sprint(i)))
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range 4 { // three of them fill the second segment, at 3
		mustAppend(t, w, big(fmt.Sprint(4+i)))
	}
	if err := writer.BreakSync(w); err != nil {
		t.Fatal(err)
	}
	if err := w.SyncAll(context.Background()); !errors.Is(err, control.ErrSyncFailed) {
		t.Fatal(err)
	}
	w.Close()
	mendDropped(t, dir, map[int64]int64{
		3: logtest.MapSegment(t, dir, 3).Durable().Position,
		6: segment.HeaderBytes,
	})
}

// Of a sync that failed in a recovery nobody knows where it began.
func TestMendWritesAgainWhatAFailedRecoveryDropped(t *testing.T) {
	dir := newDamaged(t, true)
	reboot(t, dir)
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "fdatasync" {
			return unix.EIO
		}
		return do()
	})
	_, err := tryOpen(t, dir)
	stop()
	if !errors.Is(err, control.ErrSyncFailed) {
		t.Fatalf("opening gave %v", err)
	}
	mendDropped(t, dir, map[int64]int64{0: 0, 3: 0, 6: 0, 9: 0})
}
