//go:build linux

package writer_test

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// durableSegments appends durably until the log has rolled so many times and retention
// has followed each time, and returns how many files were allocated for each segment on the way.
func durableSegments(t *testing.T, dir layout.Dir, w *writer.Writer, rolls int) (allocations []int) {
	t.Helper()
	var made atomic.Int64
	defer seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "fallocate" && !strings.Contains(c.Path, ".idx") {
			made.Add(1)
		}
		return do()
	})()
	for range rolls {
		base := activeSegment(t, dir).Base
		for s := activeSegment(t, dir); s.Base == base; s = activeSegment(t, dir) {
			if s.Tail().Position > smallest*3/4 {
				awaitSpare(t, dir)
			}
			if err := w.Sync(t.Context(), mustAppend(t, w, strings.Repeat("d", 3000))+1); err != nil {
				t.Fatal(err)
			}
		}
		settle(t, dir)
		allocations = append(allocations, int(made.Swap(0)))
	}
	return allocations
}

// awaitSpare waits until the file for the next roll is ready. The keeper was asked for it when the segment
// was half full.
func awaitSpare(t *testing.T, dir layout.Dir) {
	t.Helper()
	for { // the test's own time-out is the bound
		for i := range layout.MostSpares {
			if _, err := os.Lstat(dir.SpareAt(i)); err == nil {
				return
			}
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func sum(of []int) (n int) {
	for _, i := range of {
		n += i
	}
	return n
}

// TestFilesInPiecesAreMadeAnew: the page cache holds each file of a full log in pieces of many
// pages. Once a durable append has met one, files are made anew for about as many segments as the
// log has, and recycled again after that.
func TestFilesInPiecesAreMadeAnew(t *testing.T) {
	dir, w := cappedLog(t)
	page := int64(os.Getpagesize())
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		s := activeSegment(t, dir)
		if from < page || to > s.Tail().Position || to-from < 7*page {
			t.Errorf("bytes %d to %d were looked at: the header's page is always dirty, and the records end at %d", from, to, s.Tail().Position)
		}
		if s.Origin == segment.Recycled {
			return (to - from) / page, true
		}
		return 0, true
	})
	got := durableSegments(t, dir, w, 9)
	if n := sum(got); n < 7 || n > 9 {
		t.Errorf("%v files were made for 9 segments: want one for each after the first", got)
	}
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) { return 0, true })
	durableSegments(t, dir, w, 6) // what is left of the renewal
	if got := durableSegments(t, dir, w, 8); sum(got) > 0 {
		t.Errorf("%v files were made where none was in pieces", got)
	}
	w.Close()
	readAll(t, dir)
}

// TestFilesThatAreAlwaysInPieces: where files made anew are no better, by what the filesystem or
// another producer does, they are recycled as ever.
func TestFilesThatAreAlwaysInPieces(t *testing.T) {
	dir, w := cappedLog(t)
	looks := 0
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		looks++
		return (to - from) / int64(os.Getpagesize()), true
	})
	got := durableSegments(t, dir, w, 12)
	if n := sum(got); n == 0 || n > 3 {
		t.Errorf("%v files were made, want one or two to try", got)
	}
	before := looks
	if durableSegments(t, dir, w, 2); looks != before {
		t.Error("it goes on looking")
	}
}

// TestPiecesAreNobodysBusiness: of who appends without waiting for the disk, and where the system cannot
// tell.
func TestPiecesAreNobodysBusiness(t *testing.T) {
	dir, w := cappedLog(t)
	writer.SetDirtyPages(w, func(*os.File, int64, int64) (int64, bool) {
		t.Error("it was looked for pieces though nobody asked for a durable record")
		return 0, false
	})
	for range 40 {
		mustAppend(t, w, strings.Repeat("d", 3000))
		if err := w.SyncAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	writer.SetDirtyPages(w, func(*os.File, int64, int64) (int64, bool) { return 1 << 40, false })
	if got := durableSegments(t, dir, w, 6); sum(got) > 0 {
		t.Errorf("%v files were made where the system cannot tell", got)
	}
}
