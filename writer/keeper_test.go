package writer_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

func setRetention(t *testing.T, dir layout.Dir, r layout.Retention) {
	t.Helper()
	meta := readMeta(t, dir)
	if err := dir.WriteRetention(&meta, r); err != nil {
		t.Fatal(err)
	}
}

// segmentsAfter closes the writer, which ends what its keeper is at, and returns
// the log's segments.
func segmentsAfter(t *testing.T, w *writer.Writer, dir layout.Dir) []int64 {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	return bases
}

func TestRetentionByBytes(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 30 {
		mustAppend(t, w, big("x"))
	}
	if n := len(segmentsAfter(t, w, dir)); n != 10 {
		t.Fatalf("%d segments without retention, want 10", n)
	}
	// Set while the log is there, applied at the next roll.
	setRetention(t, dir, layout.Retention{Bytes: 3 * smallest})
	w = openWriter(t, dir)
	mustAppend(t, w, big("x"))
	bases := segmentsAfter(t, w, dir)
	if len(bases) != 3 || bases[0] != 24 {
		t.Errorf("segments %v are left, want 3 from 24", bases)
	}
	for _, gone := range []string{dir.Segment(0), dir.Index(0)} {
		if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", gone, err)
		}
	}
}

func TestRetentionByAge(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 9 {
		mustAppend(t, w, big("x"))
	}
	setRetention(t, dir, layout.Retention{Age: time.Hour})
	mustAppend(t, w, big("x"))
	if bases := segmentsAfter(t, w, dir); bases[0] != 0 {
		t.Fatalf("records younger than the limit were dropped: %v", bases)
	}
	setRetention(t, dir, layout.Retention{Age: time.Nanosecond})
	w = openWriter(t, dir)
	for range 3 {
		mustAppend(t, w, big("x"))
	}
	if bases := segmentsAfter(t, w, dir); bases[0] != 12 {
		t.Errorf("segments %v are left, want the active one only", bases)
	}
}

func TestSpareIsReadyBeforeTheRoll(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 3 {
		mustAppend(t, w, big("x"))
	}
	for { // the keeper works beside us; the test's own time-out is the bound
		if fi, err := os.Lstat(dir.Spare()); err == nil && fi.Size() == smallest {
			break
		}
		time.Sleep(time.Millisecond)
	}
	mustAppend(t, w, big("x"))
	if _, err := os.Lstat(dir.Spare()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the roll did not use the spare: %v", err)
	}
}

// The index of every segment, also one that was lost, points at true batches, one
// for each stretch that has any.
func TestIndexIsKeptAndMended(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 3000 {
		mustAppend(t, w, "some forty bytes of a record's value ....")
	}
	bases := segmentsAfter(t, w, dir)
	last := bases[len(bases)-1]
	checkIndex(t, dir, last)
	if err := os.WriteFile(dir.Index(last), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	w = openWriter(t, dir)
	mustAppend(t, w, "one more")
	w.Close()
	for _, base := range bases {
		checkIndex(t, dir, base)
	}
}

func checkIndex(t *testing.T, dir layout.Dir, base int64) {
	t.Helper()
	s := logtest.MapSegment(t, dir, base)
	x, err := indexfile.Open(dir.Index(base), index.Header{Base: s.Base, Epoch: s.Epoch, SegmentBytes: s.Size}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	batches := make(map[int64]index.Entry)
	stretches := make(map[int64]bool)
	s.Scan(segment.Cursor{Position: segment.HeaderBytes}, func(f *segment.Frame) {
		batches[f.Position] = index.Entry{Position: f.Position, Count: f.Base - s.Base, Time: f.Time}
		stretches[x.Stretch(f.Position)] = true
	})
	entries := 0
	for i := range x.Len() {
		e, ok := x.At(i)
		if !ok {
			continue
		}
		entries++
		if e != batches[e.Position] {
			t.Errorf("segment %d: entry %d is %+v, the batch there is %+v", base, i, e, batches[e.Position])
		}
	}
	if entries != len(stretches) {
		t.Errorf("segment %d: %d entries for %d stretches with batches", base, entries, len(stretches))
	}
}

func TestNoIndexOutlivesItsSegment(t *testing.T) {
	dir := newLog(t)
	setRetention(t, dir, layout.Retention{Bytes: 2 * smallest})
	w := openWriter(t, dir)
	for range 1500 {
		mustAppend(t, w, big("x"))
	}
	segments := segmentsAfter(t, w, dir)
	w = openWriter(t, dir)
	for range 3 { // a last roll, after whatever was going on
		mustAppend(t, w, big("x"))
	}
	segments = append(segments, segmentsAfter(t, w, dir)...)
	names, err := filepath.Glob(filepath.Join(string(dir), "*.idx*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(segments, func(base int64) bool { return dir.Index(base) == name }) {
			t.Errorf("%s has no segment", name)
		}
	}
}
