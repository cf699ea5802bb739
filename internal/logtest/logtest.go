// Package logtest is what the tests of several packages do to the files of a log.
package logtest

import (
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// MapSegment maps a segment for reading until the test ends.
func MapSegment(t testing.TB, dir layout.Dir, base int64) *segment.Segment {
	t.Helper()
	f, err := os.Open(dir.Segment(base))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := segment.Map(f, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Batches returns the batches of a segment. Their bodies are views.
func Batches(t testing.TB, dir layout.Dir, base int64) (batches []segment.Frame, end segment.Cursor) {
	t.Helper()
	scan := MapSegment(t, dir, base).Scan(segment.Cursor{Position: segment.HeaderBytes}, func(f *segment.Frame) {
		batches = append(batches, *f)
	})
	return batches, scan.End
}

// Overwrite stores bytes in a segment's file, as a disk that failed, a power loss
// or a stranger would.
func Overwrite(t testing.TB, dir layout.Dir, base, position int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(dir.Segment(base), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, position); err != nil {
		t.Fatal(err)
	}
}
