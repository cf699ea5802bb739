package group

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
)

// forgeLast makes a group whose last commit has the highest sequence number there
// is, as only a hostile member stores it.
func forgeLast(t *testing.T, d layout.Dir, m *layout.Meta, offset int64) {
	t.Helper()
	g := openGroup(t, d, "g", m)
	b := Encode(testID, -1)
	p := place{sequence: math.MaxUint64, offset: offset}
	copy(b[p.position():], p.encode(testID))
	if err := errors.Join(g.Close(), os.WriteFile(d.Group("g"), b, fs.FileMode(0o600))); err != nil {
		t.Fatal(err)
	}
}

// TestCommitBehindForgedSequence: a commit that cannot be kept is refused.
func TestCommitBehindForgedSequence(t *testing.T) {
	d, m := newLog(t)
	forgeLast(t, d, m, 5)
	g := openGroup(t, d, "g", m)
	join(t, g)
	if err := g.Commit(7); err == nil {
		t.Error("a commit behind the highest sequence number was taken")
	}
	if offset, ok := g.Committed(); offset != 5 || !ok {
		t.Errorf("committed %d, %v", offset, ok)
	}
}

// TestClampForgedSequence: recovery moves such a group all the same.
func TestClampForgedSequence(t *testing.T) {
	d, m := newLog(t)
	forgeLast(t, d, m, 5)
	if err := Clamp(d, testID, 3); err != nil {
		t.Fatal(err)
	}
	if offset, ok, err := Read(d, "g", testID); offset != 3 || !ok || err != nil {
		t.Errorf("committed %d, %v, %v; want 3", offset, ok, err)
	}
}
