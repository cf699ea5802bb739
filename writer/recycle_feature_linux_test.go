//go:build linux

package writer_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// A log without the incompatible bit may be open to a build that takes no lock on
// what it maps, or one of another kind. So no file of it changes after it was dropped,
// not even one that a build in between has made a spare of.
func TestNothingIsRecycledWithoutTheFeature(t *testing.T) {
	dir, w := cappedLog(t)
	for range 8 { // so that retention leaves spares again
		appendRow(t, dir, w)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	stopRecycling(t, dir)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, base := range bases[:len(bases)-1] {
		paths = append(paths, dir.Segment(base))
	}
	spares := 0
	for i := range layout.MostSpares {
		if f, err := os.Open(dir.SpareAt(i)); err == nil {
			if origin, err := segment.OriginOf(f); err == nil && origin == segment.Recycled {
				paths = append(paths, dir.SpareAt(i))
				spares++
			}
			f.Close()
		}
	}
	if spares == 0 {
		t.Fatal("there is no spare that was a segment")
	}
	var held []*os.File
	var before [][]byte
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		held, before = append(held, f), append(before, records(t, f))
	}

	made := sparesMade(t, dir)
	w = openWriter(t, dir)
	other := openWriter(t, dir) // whose keeper prepares for the next roll as well
	recycled := writer.Recycled(w)
	const rows = 30
	for range rows {
		appendRow(t, dir, w)
		mustAppend(t, other, "y")
	}
	if err := errors.Join(w.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	if n := made.Load(); n > rows+2 { // one more roll, and the one to come
		t.Errorf("%d files were made ready for %d segments", n, rows)
	}
	for i, f := range held {
		if !bytes.Equal(records(t, f), before[i]) {
			t.Errorf("%s was used for another segment", paths[i])
		}
	}
	if n := writer.Recycled(w) - recycled; n != 0 {
		t.Errorf("%d files were recycled", n)
	}
	if got := origins(t, dir); got[segment.Recycled] != 0 {
		t.Errorf("segments by origin: %v", got)
	}
	readAll(t, dir)
}

// In such a log a file that one producer has made ready is the next one's too.
func TestPreparedSpareStays(t *testing.T) {
	dir := newLog(t)
	stopRecycling(t, dir)
	made := sparesMade(t, dir)
	appendAndClose := func(text string) {
		t.Helper()
		w := openWriter(t, dir)
		mustAppend(t, w, text)
		mustAppend(t, w, "behind the segment's half, if that was not")
		if err := w.Close(); err != nil { // which ends what the keeper is at
			t.Fatal(err)
		}
	}
	appendAndClose(big("x") + big("y"))
	for range 3 { // each of which asks for the next segment
		appendAndClose("x")
	}
	if _, err := os.Lstat(dir.Spare()); err != nil {
		t.Error(err)
	}
	if n := made.Load(); n != 1 {
		t.Errorf("%d files were made ready, want 1", n)
	}
}

// stopRecycling makes a log what one is that was made before the feature.
func stopRecycling(t *testing.T, dir layout.Dir) {
	t.Helper()
	meta := readMeta(t, dir)
	meta.Incompat &^= layout.FeatureRecycling
	if err := os.WriteFile(dir.Meta(), meta.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sparesMade counts the files that are made ready from now on.
func sparesMade(t *testing.T, dir layout.Dir) *atomic.Int64 {
	t.Helper()
	made := new(atomic.Int64)
	t.Cleanup(seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "fdatasync" && c.Path == dir.NextSpare() {
			made.Add(1)
		}
		return do()
	}))
	return made
}

// records returns what follows the header in a segment file.
func records(t *testing.T, f *os.File) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, segment.HeaderBytes, smallest))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
