package reader_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/writer"
)

// A followed is a log that keeps so many segments, a producer of it, and a reader that
// reads each record as it comes.
type followed struct {
	t        *testing.T
	dir      layout.Dir
	w        *writer.Writer
	src      *reader.Source
	r        *reader.Reader
	segments int
	next     int64
}

// follow makes one whose files have all been several segments already.
func follow(t *testing.T, segments int) *followed {
	dir, w := newLog(t)
	meta := readMeta(t, dir)
	if err := dir.WriteRetention(&meta, layout.Retention{Bytes: int64(segments) * smallest}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	src := openSource(t, dir)
	l := &followed{t: t, dir: dir, w: openWriter(t, dir), src: src, r: newReader(t, src, following(0)), segments: segments}
	l.goOn(4 * segments)
	return l
}

// goOn appends so many segments' worth, has each record read, and waits after each segment
// until retention has followed.
func (l *followed) goOn(segments int) {
	l.t.Helper()
	filler := strings.Repeat(".", 20_000) // three in a segment
	for range segments {
		for range 3 {
			text := strconv.FormatInt(l.next, 10) + filler
			if at := appendTexts(l.t, l.w, text); at != l.next {
				l.t.Fatalf("appended at %d, want %d", at, l.next)
			}
			wantNext(l.t, l.r, l.next, text)
			l.next++
		}
		for len(logtest.Row(l.t, l.dir)) > l.segments { // the test's own time-out is the bound
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// mapped counts what this process has mapped for reading of segments' files, and of those that
// are removed.
func (l *followed) mapped() (all, removed int) {
	l.t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, " r--s ") || !strings.Contains(line, string(l.dir)+"/") || strings.Contains(line, ".idx") {
			continue
		}
		if strings.Contains(line, "(deleted)") {
			all, removed = all+1, removed+1
		} else if strings.Contains(line, ".seg") || strings.Contains(line, "/spare") || strings.Contains(line, "/unfinished") {
			all++
		}
	}
	return all, removed
}

// keep goes on until so many files are mapped. On a machine that stands still they may be let
// go at once.
func (l *followed) keep(files int) {
	l.t.Helper()
	for all, _ := l.mapped(); all < files; all, _ = l.mapped() { // the test's own time-out is the bound
		l.goOn(2 * l.segments)
	}
}

// TestFilesThatComeBackAreMappedOnce: what is read in them is right each time, and they are
// recycled as if nobody kept them.
func TestFilesThatComeBackAreMappedOnce(t *testing.T) {
	l := follow(t, 8)
	var maps, made atomic.Int64
	defer seam.Watch(string(l.dir), func(c seam.Call, do func() error) error {
		switch {
		case strings.Contains(c.Path, ".idx"):
		case c.Op == "mmap":
			maps.Add(1)
		case c.Op == "fallocate":
			made.Add(1)
		}
		return do()
	})()
	const segments = 32
	l.goOn(segments)
	if n := maps.Load(); n > segments/2 { // one for each without
		t.Errorf("%d files were mapped in %d segments", n, segments)
	}
	if n := made.Load(); n > segments/4 {
		t.Errorf("%d files were made in %d segments, though those that are kept may be recycled", n, segments)
	}
}

// TestRemovedFilesAreNotKept: who trims a log has the disk's room back though readers go on.
func TestRemovedFilesAreNotKept(t *testing.T) {
	l := follow(t, 8)
	for removed := 0; removed < 2; { // else it took so long that they were let go before
		l.keep(5)
		if _, _, err := l.w.Trim(context.Background(), writer.Limits{Before: l.next}); err != nil {
			t.Fatal(err)
		}
		_, removed = l.mapped()
	}
	for range 50 { // at once, but for what is being unmapped just now
		l.goOn(1)
		if _, removed := l.mapped(); removed == 0 {
			return
		}
	}
	_, removed := l.mapped()
	t.Errorf("%d removed files are mapped still", removed)
}

// TestKeptFilesAreLetGo: by a reader that has nothing to read.
func TestKeptFilesAreLetGo(t *testing.T) {
	l := follow(t, 8)
	for range 2 { // and again, when it has gone on
		l.keep(5)
		for all, _ := l.mapped(); all > 1; all, _ = l.mapped() { // the test's own time-out is the bound
			time.Sleep(10 * time.Millisecond)
		}
		l.goOn(16)
	}
}

// TestTooManyFilesAreNotKept: where a file comes back only after more than may be kept, none is.
func TestTooManyFilesAreNotKept(t *testing.T) {
	l := follow(t, 40)
	if all, _ := l.mapped(); all > 3 {
		t.Errorf("%d files are mapped, of a log that has too many of them", all)
	}
}

// TestClosingLetsKeptFilesGo: at once.
func TestClosingLetsKeptFilesGo(t *testing.T) {
	l := follow(t, 8)
	l.r.Close()
	l.src.Close()
	if all, _ := l.mapped(); all > 0 {
		t.Errorf("%d files are mapped", all)
	}
}
