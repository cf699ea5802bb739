package survey_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/writer"
)

// Retention drops all that the survey has listed, while it reads the last of that;
// the log goes on in segments that come later. None of them is missing.
func TestRetentionOvertakesSurvey(t *testing.T) {
	dir, w := newLog(t)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	last := dir.Segment(bases[len(bases)-1])
	var reached, dropped atomic.Bool
	stop := seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		if c.Op == "open" && c.Path == last {
			reached.Store(true)
		}
		if c.Op == "getdents" && c.Path == string(dir) && reached.Load() && dropped.CompareAndSwap(false, true) {
			dropAll(t, dir, w)
		}
		return do()
	})
	defer stop()
	r := run(t, dir)
	if !dropped.Load() {
		t.Fatal("nothing was dropped, so this tested nothing")
	}
	if len(r.Damage) > 0 || r.Torn != nil {
		t.Errorf("the survey found %+v", r)
	}
}

// The log rolls after the survey has listed its segments, so that the active one is none
// of them; and that one is dropped before they are listed again.
func TestRetentionOvertakesActiveSegment(t *testing.T) {
	dir, w := newLog(t)
	var listings atomic.Int64
	stop := seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		if c.Op != "getdents" || c.Path != string(dir) {
			return do()
		}
		switch listings.Add(1) {
		case 1:
			err := do()
			appendLong(t, w, 5)
			return err
		case 2:
			dropAll(t, dir, w)
		}
		return do()
	})
	defer stop()
	r := run(t, dir)
	if listings.Load() < 2 {
		t.Fatal("the segments were listed once, so this tested nothing")
	}
	if len(r.Damage) > 0 || r.Torn != nil {
		t.Errorf("the survey found %+v", r)
	}
}

// dropAll makes two segments more and drops the others.
func dropAll(t *testing.T, dir layout.Dir, w *writer.Writer) {
	t.Helper()
	appendLong(t, w, 5)
	bases, err := dir.Segments()
	if err != nil {
		t.Error(err)
	}
	before := int64(math.MaxInt64)
	if n := len(bases); n > 1 {
		before = bases[n-2]
	}
	if _, _, err := w.Trim(context.Background(), writer.Limits{Before: before}); err != nil {
		t.Error(err)
	}
}

// A listing of a directory need not have what was made during it. A segment that
// is left out of one is not missing.
func TestListingWithoutNewSegment(t *testing.T) {
	dir, _ := newLog(t)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	hidden := dir.Segment(bases[len(bases)-2])
	var listed atomic.Bool
	stop := seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		if c.Op != "getdents" || c.Path != string(dir) || !listed.CompareAndSwap(false, true) {
			return do()
		}
		if err := os.Rename(hidden, hidden+".hidden"); err != nil {
			t.Error(err)
		}
		defer func() {
			if err := os.Rename(hidden+".hidden", hidden); err != nil {
				t.Error(err)
			}
		}()
		return do()
	})
	defer stop()
	if r := run(t, dir); len(r.Damage) > 0 || r.Records != records || r.Segments != len(bases) || !listed.Load() {
		t.Errorf("the survey found %+v", r)
	}
}
