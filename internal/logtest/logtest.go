// Package logtest is what the tests of several packages do to the files of a log.
package logtest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
// or a stranger would. If just these are there already, as may be where a random word stands, it stores
// others, so that something is changed in any case.
func Overwrite(t testing.TB, dir layout.Dir, base, position int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(dir.Segment(base), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	there := make([]byte, len(data))
	if _, err := f.ReadAt(there, position); err == nil && len(data) > 0 && bytes.Equal(there, data) {
		data = bytes.Clone(data)
		data[0] ^= 0xff
	}
	if _, err := f.WriteAt(data, position); err != nil {
		t.Fatal(err)
	}
}

// Copy copies a log, which may be in use: files may go while that is at it, since
// who keeps a log makes some under a temporary name. To who opens the copy it is as
// if the machine had been booted anew.
func Copy(t testing.TB, dir layout.Dir) layout.Dir {
	t.Helper()
	for {
		copied := filepath.Join(t.TempDir(), "log")
		err := os.CopyFS(copied, os.DirFS(string(dir)))
		if err == nil {
			return layout.Dir(copied)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}
