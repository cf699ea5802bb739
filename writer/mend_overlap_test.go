package writer_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// overlap adds a segment to a log of newDamaged that begins at offset 8, before the
// end of the one before it.
func overlap(t *testing.T, dir layout.Dir) {
	t.Helper()
	f, err := os.Create(dir.Segment(8))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(smallest); err != nil {
		t.Fatal(err)
	}
	s, err := segment.Format(f, segment.FileHeader{LogID: readMeta(t, dir).LogID, Base: 8, Epoch: 7, Size: smallest})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// Of two segments that both claim an offset, nobody knows which is right: mending
// says so, has no remedy for it, and mends what else there is.
func TestMendOverlap(t *testing.T) {
	dir := newDamaged(t, true)
	overlap(t, dir)
	before := snapshot(t, dir)
	m := mend(t, dir, true)
	i := slices.IndexFunc(m.Findings, func(f writer.Finding) bool { return f.Kind == survey.Overlap })
	if i < 0 || m.Findings[i].Remedy != "" || m.Findings[i].Base != 8 {
		t.Errorf("found %+v", m.Findings)
	}
	fmt.Printf("%+v\n", m)
	_ = logtest.Overwrite
	if !equalSnapshots(before, snapshot(t, dir)) {
		t.Error("changed")
	}
}
