//go:build linux

package writer_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
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
	meta := readMeta(t, dir)
	meta.Incompat &^= layout.FeatureRecycling
	if err := os.WriteFile(dir.Meta(), meta.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
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

	w = openWriter(t, dir)
	recycled := writer.Recycled(w)
	for range 30 {
		appendRow(t, dir, w)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
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

// records returns what follows the header in a segment file.
func records(t *testing.T, f *os.File) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, segment.HeaderBytes, smallest))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
