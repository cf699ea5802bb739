package writer_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// overlap adds a segment without records that begins at the offset base.
func overlap(t *testing.T, dir layout.Dir, base int64) {
	t.Helper()
	f, err := os.Create(dir.Segment(base))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(smallest); err != nil {
		t.Fatal(err)
	}
	s, err := segment.Format(f, segment.FileHeader{LogID: readMeta(t, dir).LogID, Base: base, Epoch: 7, Size: smallest})
	if err != nil {
		t.Fatal(err)
	}
	s.SetLastTime(time.Now().UnixNano())
	s.Close()
}

// Of two segments that claim the same offset nobody knows which is right. Mending
// reports that and has no remedy for it, but mends what else there is.
func TestMendHasNoRemedyForAnOverlap(t *testing.T) {
	dir := newDamaged(t, true)
	w := openWriter(t, dir)
	mustAppend(t, w, "10")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	overlap(t, dir, 10) // and the segment of 9 ends at 11
	want := func(m *writer.Mending, others bool) {
		t.Helper()
		i := slices.IndexFunc(m.Findings, func(f writer.Finding) bool { return f.Kind == survey.Overlap })
		if i < 0 || m.Findings[i].Remedy != "" || m.Findings[i].Base != 10 || len(m.Findings) > 1 != others {
			t.Fatalf("found %+v, want an overlap at 10 and others: %t", m.Findings, others)
		}
	}

	before := snapshot(t, dir)
	m := mend(t, dir, true)
	want(m, false)
	if m.Needed() || m.Done || !equalSnapshots(before, snapshot(t, dir)) {
		t.Errorf("with nothing to be done, mending changed the log: %+v", m)
	}

	logtest.Overwrite(t, dir, 3, positionsOf(t, dir, 3)[1]+100, []byte("garbage!"))
	m = mend(t, dir, true)
	want(m, true)
	if !m.Done {
		t.Errorf("not mended: %+v", m)
	}
	if got := readAround(t, dir); len(got) < 10 || got[4] != "lost 4" || got[5] != "5" {
		t.Errorf("read %q", got)
	}
}
