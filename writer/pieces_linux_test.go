//go:build linux

package writer_test

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// oneSegment appends durably until the log has rolled and retention has followed.
func oneSegment(t *testing.T, dir layout.Dir, w *writer.Writer) {
	t.Helper()
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
}

// durableSegments is oneSegment so many times, and returns how many files were made for
// each segment on the way.
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
		oneSegment(t, dir, w)
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

// needPieces skips a test where no piece is looked for.
func needPieces(t *testing.T) {
	t.Helper()
	if page := os.Getpagesize(); page > 16<<10 {
		t.Skipf("this system's pages have %d bytes: each is more than the 32 KiB that are no harm in a piece, so the log does not look for pieces", page)
	}
}

// cappedLogOfPages is cappedLog where pieces are looked for.
func cappedLogOfPages(t *testing.T) (layout.Dir, *writer.Writer) {
	t.Helper()
	needPieces(t)
	return cappedLog(t)
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
	dir, w := cappedLogOfPages(t)
	page := int64(os.Getpagesize())
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		s := activeSegment(t, dir)
		if from < page || to > s.Tail().Position || to-from < 32<<10-page {
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
	dir, w := cappedLogOfPages(t)
	looks := 0
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		looks++
		return (to - from) / int64(os.Getpagesize()), true
	})
	got := durableSegments(t, dir, w, 12)
	if n := sum(got); n < 2 || n > 4 {
		t.Errorf("%v files were made, want two or three to try", got)
	}
	before := looks
	if durableSegments(t, dir, w, 2); looks != before {
		t.Error("it goes on looking")
	}
}

// TestSparesInPiecesAreSweptAway: a spare that was made and never used says nothing of those that
// will be made, and is not used either.
func TestSparesInPiecesAreSweptAway(t *testing.T) {
	dir, w := cappedLogOfPages(t)
	var stale []os.FileInfo
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		if stale == nil {
			if activeSegment(t, dir).Origin != segment.Recycled {
				return 0, true
			}
			for i := range 2 {
				stale = append(stale, makeSpare(t, dir, i))
			}
			return (to - from) / int64(os.Getpagesize()), true
		}
		fi, err := f.Stat()
		if err != nil {
			t.Error(err)
		}
		for _, old := range stale {
			if os.SameFile(fi, old) {
				t.Error("a spare of before is used")
			}
		}
		return 0, true
	})
	for len(stale) == 0 {
		if err := w.Sync(t.Context(), mustAppend(t, w, strings.Repeat("d", 3000))+1); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < len(stale); { // a roll that is quicker than the sweep may take one
		if fi, err := os.Lstat(dir.SpareAt(i)); err == nil && os.SameFile(fi, stale[i]) {
			time.Sleep(100 * time.Microsecond)
			continue
		}
		i++
	}
	if got := durableSegments(t, dir, w, 6); sum(got) < 5 {
		t.Errorf("%v files were made for 6 segments: want one for each after the first", got)
	}
}

// makeSpare has a spare that was made in this place, whatever was there.
func makeSpare(t *testing.T, dir layout.Dir, i int) os.FileInfo {
	t.Helper()
	lock, err := filelock.Exclusive(t.Context(), dir.SpareLock(), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	f, err := files.CreateAllocated(dir.NextSpare(), smallest, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() }) // until then no other file gets its inode
	fi, serr := f.Stat()
	if err := errors.Join(serr, segment.Prepare(f, readMeta(t, dir).LogID, smallest), os.Rename(dir.NextSpare(), dir.SpareAt(i))); err != nil {
		t.Fatal(err)
	}
	return fi
}

// TestOneNewFileInPieces: one new file in pieces is no reason to give up, and two are none if
// there was a good one in between.
func TestOneNewFileInPieces(t *testing.T) {
	dir, w := cappedLogOfPages(t)
	segments := make(map[int64]bool)
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		s := activeSegment(t, dir)
		segments[s.Base] = true
		if s.Origin == segment.Recycled || len(segments)%2 == 0 {
			return (to - from) / int64(os.Getpagesize()), true
		}
		return 0, true
	})
	if got := durableSegments(t, dir, w, 9); sum(got) < 8 {
		t.Errorf("%v files were made for 9 segments: want one for each after the first", got)
	}
}

// TestNewFileInPiecesCountsOnce: however often it is looked at.
func TestNewFileInPiecesCountsOnce(t *testing.T) {
	needPieces(t)
	const size = 4 << 20 // four looks
	dir := newLogWith(t, layout.Settings{SegmentBytes: size, Mode: 0o600})
	setRetention(t, dir, layout.Retention{Bytes: 8 * size})
	w := openWriter(t, dir)
	for before := writer.Recycled(w); writer.Recycled(w) < before+12; {
		for range 3 {
			mustAppend(t, w, strings.Repeat("x", 1_300_000))
		}
		settle(t, dir)
	}
	bad := int64(-1) // the first new segment
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		s := activeSegment(t, dir)
		if s.Origin != segment.Recycled && bad < 0 {
			bad = s.Base
		}
		if s.Origin == segment.Recycled || s.Base == bad {
			return (to - from) / int64(os.Getpagesize()), true
		}
		return 0, true
	})
	made := 0
	for last := int64(-1); made < 7; {
		s := activeSegment(t, dir)
		if s.Base != last {
			settle(t, dir)
			if s.Origin != segment.Recycled {
				made++
			} else if bad >= 0 {
				t.Fatalf("%d files were made after one in pieces was found, and then one was recycled", made)
			}
			last = s.Base
		}
		if s.Tail().Position > size*3/4 {
			awaitSpare(t, dir)
		}
		if err := w.Sync(t.Context(), mustAppend(t, w, strings.Repeat("d", 40_000))+1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnotherProducerDropsTheOldFiles: files are made anew until those of before are gone, also if
// it is another producer that drops them, and recycles them.
func TestAnotherProducerDropsTheOldFiles(t *testing.T) {
	dir, w := cappedLogOfPages(t)
	other := openWriter(t, dir)
	found := false
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		if !found && activeSegment(t, dir).Origin == segment.Recycled {
			found = true
			return (to - from) / int64(os.Getpagesize()), true
		}
		return 0, true
	})
	for !found {
		oneSegment(t, dir, w)
	}
	if got := durableSegments(t, dir, w, 2); sum(got) == 0 {
		t.Errorf("%v files were made for 2 segments, after one in pieces was found", got)
	}
	for range 10 {
		appendRow(t, dir, other)
	}
	durableSegments(t, dir, w, 2) // in which it finds that out
	if got := durableSegments(t, dir, w, 5); sum(got) > 0 {
		t.Errorf("%v files were made though those of before are gone", got)
	}
}

// TestAnotherProducerRecycles: who has found pieces takes no file that another producer, which has not, has
// recycled.
func TestAnotherProducerRecycles(t *testing.T) {
	dir, w := cappedLogOfPages(t)
	other := openWriter(t, dir)
	writer.SetDirtyPages(other, func(*os.File, int64, int64) (int64, bool) { return 0, true })
	writer.SetDirtyPages(w, func(f *os.File, from, to int64) (int64, bool) {
		if activeSegment(t, dir).Origin == segment.Recycled {
			return (to - from) / int64(os.Getpagesize()), true
		}
		return 0, true
	})
	oneSegment(t, dir, w)
	made := 0
	for range 10 {
		appendRow(t, dir, other)
		made += sum(durableSegments(t, dir, w, 1))
	}
	if made < 5 { // 8; and 2 if it takes what the other has recycled
		t.Errorf("%d files were made for 10 segments", made)
	}
}

// TestPiecesAreNobodysBusiness: of who appends without waiting for the disk, and where the system cannot
// tell.
func TestPiecesAreNobodysBusiness(t *testing.T) {
	dir, w := cappedLogOfPages(t)
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
