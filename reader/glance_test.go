package reader_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/writer"
)

// Retention drops several segments between the listing of the directory and the
// look at the files. That is no damage.
func TestGlanceWhileRetentionDrops(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 1500)
	all := bases(t, dir)
	if len(all) < 4 {
		t.Fatalf("%d segments are too few for this", len(all))
	}
	src := openSource(t, dir)
	dropped := 0
	stop := seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		if c.Op == "open" && c.Path == dir.Segment(all[0]) && dropped == 0 {
			dropped = -1 // what Trim opens itself is not it
			var err error
			if dropped, _, err = w.Trim(context.Background(), writer.Limits{Before: all[3]}); err != nil {
				t.Error(err)
			}
		}
		return do()
	})
	defer stop()
	damage, segments, err := src.Glance()
	if dropped != 3 {
		t.Fatalf("%d segments were dropped meanwhile, want 3", dropped)
	}
	if len(damage) > 0 || segments != len(all)-3 || err != nil {
		t.Errorf("%d segments, damage %v, %v", segments, damage, err)
	}
}
