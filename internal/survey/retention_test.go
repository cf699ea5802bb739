package survey_test

import (
	"context"
	"math"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
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

// dropAll makes two segments more and drops the others.
func dropAll(t *testing.T, dir layout.Dir, w *writer.Writer) {
	t.Helper()
	for range 5 {
		if _, err := w.Append(context.Background(), []segment.Record{{Value: make([]byte, 25_000)}}); err != nil {
			t.Error(err)
		}
	}
	bases, err := dir.Segments()
	if err != nil {
		t.Error(err)
	}
	before := int64(math.MaxInt64)
	if n := len(bases); n > 1 {
		before = bases[n-2]
	}
	if _, err := w.Trim(context.Background(), writer.Limits{Before: before}); err != nil {
		t.Error(err)
	}
}
