// Package logtest is what the tests of several packages do to the files of a log.
package logtest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
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

// DropAfterEachLook takes the oldest segment away whenever somebody in this process has listed
// the log's directory, until the test ends: retention that is always quicker than a look.
func DropAfterEachLook(t testing.TB, dir layout.Dir) {
	t.Helper()
	var dropping sync.Mutex
	t.Cleanup(seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		err := do()
		if c.Op != "getdents" {
			return err
		}
		dropping.Lock()
		defer dropping.Unlock()
		if row := Row(t, dir); len(row) < 2 {
			t.Errorf("segments at %v are left to drop from", row)
		} else if err := os.Remove(dir.Segment(row[0])); err != nil {
			t.Error(err)
		}
		return err
	}))
}

// Row lists the base offsets of the segments, in order, unseen by who watches the calls.
func Row(t testing.TB, dir layout.Dir) (row []int64) {
	entries, err := os.ReadDir(string(dir)) // in the order of the names, which is that of the offsets
	if err != nil {
		t.Error(err)
	}
	for _, entry := range entries {
		if base, ok := layout.ParseSegmentName(entry.Name()); ok {
			row = append(row, base)
		}
	}
	return row
}
