//go:build linux

package writer_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/writer"
)

// Before each roll there are two rehearsals, by different appends and without the log's
// lock: one about the name that the roll gives the file, one about the file.
func TestRollIsRehearsed(t *testing.T) {
	dir, w := cappedLog(t)
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
			made = append(made, "file")
		}
		return do()
	})()
	var all []string
	for slices.Index(all, "roll") < 0 || len(all) < 6 {
		for !writer.HasNextSpare(w) { // the test's own time-out is the bound
			time.Sleep(100 * time.Microsecond)
		}
		mustAppend(t, w, strings.Repeat("x", 60))
		if len(made) > 1 {
			t.Errorf("one append made %q", made)
		}
		all = append(all, made...)
		made = nil
	}
	want := []string{"name", "file", "roll"}
	if i := slices.Index(all, "name"); i > 2 || !slices.Equal(all[i:i+3], want) {
		t.Errorf("the rolls were made as %q, want %q each", all, want)
	}
}
