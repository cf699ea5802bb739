//go:build linux

package writer_test

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// Before each roll there are two rehearsals, a 256th of the segment apart and without the
// log's lock: one about the name that the roll gives the file, one about the file.
func TestRollIsRehearsed(t *testing.T) {
	dir, w := cappedLog(t)
	mustAppend(t, w, big("x"), big("x")) // another one fits
	s := activeSegment(t, dir)
	var made []string // by the append that is under way
	defer seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		switch {
		case strings.HasSuffix(c.Path, ".idx"), c.Path == dir.Retention(): // the keeper's
		case c.Op == "rename" && c.Path == dir.Unfinished():
			made = append(made, "roll")
		case writer.LockOwner(w) != 0:
		case c.Op == "stat" && c.Path == dir.Unfinished():
			made = append(made, "name")
		case c.Op == "read":
			if fi, err := c.File.Stat(); err == nil && isNextSpare(dir, fi) {
				made = append(made, "file")
			}
		}
		return do()
	})()
	const value, step = 60, smallest >> 8
	var all []string
	for slices.Index(all, "roll") < 0 {
		for !writer.HasNextSpare(w) { // the test's own time-out is the bound
			time.Sleep(100 * time.Microsecond)
		}
		mustAppend(t, w, strings.Repeat("x", value))
		for _, m := range made {
			due := map[string]int64{"name": s.Size - 2*step, "file": s.Size - step, "roll": 0}[m]
			if end := s.Tail().Position; due > 0 && (end < due || end >= due+segment.FrameBytes+value+8) {
				t.Errorf("the rehearsal of the %s at %d, want it when the records have come to %d", m, end, due)
			}
		}
		all = append(all, made...)
		made = nil
	}
	if want := []string{"name", "file", "roll"}; !slices.Equal(all, want) {
		t.Errorf("the roll was made as %q, want %q", all, want)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if held := heldFiles(t, dir); len(held) > 0 {
		t.Errorf("after the writer is closed %q are open", held)
	}
}

// isNextSpare reports whether fi is the file that the next roll takes.
func isNextSpare(dir layout.Dir, fi fs.FileInfo) bool {
	for i := range layout.MostSpares {
		if spare, err := os.Lstat(dir.SpareAt(i)); err == nil {
			return os.SameFile(spare, fi)
		}
	}
	return false
}
