package group

import (
	"errors"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// A group's file that cannot be opened or read just now may hold an offset behind
// the log's end. Recovery must not pass over it.
func TestClampTellsFailures(t *testing.T) {
	for _, op := range []string{"open", "read"} {
		dir, meta := newLog(t)
		g := openGroup(t, dir, "g", meta)
		join(t, g)
		commit(t, g, 10)
		stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
			if c.Op == op && c.Path == dir.Group("g") {
				return syscall.EMFILE
			}
			return do()
		})
		err := Clamp(dir, meta.LogID, 5)
		stop()
		if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%s: %v", op, err)
		}
		if err := Clamp(dir, meta.LogID, 5); err != nil {
			t.Error(err)
		}
		if at, _, err := Read(dir, "g", meta.LogID); at != 5 || err != nil {
			t.Errorf("%s: the group is at %d, %v; want 5", op, at, err)
		}
	}
}
