package writer_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
)

// While retention drops many segments, a new one is begun. What the keeper has to
// do for that one does not wait for all the drops, as files stay open until then;
// closing does.
func TestKeeperWorksBetweenDrops(t *testing.T) {
	const rows = 30
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 3 * rows {
		mustAppend(t, w, big("x"))
	}
	meta := readMeta(t, dir)
	if err := dir.WriteRetention(&meta, layout.Retention{Bytes: 2 * segment.MinBytes}); err != nil {
		t.Fatal(err)
	}
	var drops, newest atomic.Int64
	var indexed atomic.Bool
	half := make(chan struct{})
	stop := seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		if (c.Op == "unlink" || c.Op == "rename") && strings.HasSuffix(c.Path, ".seg") {
			switch drops.Add(1) {
			case 1:
				newest.Store(mustAppend(t, w, big("y"), big("y"), big("y")))
			case rows / 2:
				_, err := os.Stat(dir.Index(newest.Load()))
				indexed.Store(err == nil)
				close(half)
			}
		}
		return do()
	})
	defer stop()
	mustAppend(t, w, big("x"), big("x"), big("x")) // which rolls
	<-half
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !indexed.Load() {
		t.Errorf("half of the segments were dropped, and the newest one had no index yet")
	}
	if bases, err := dir.Segments(); err != nil || len(bases) > 2 {
		t.Errorf("%d segments are left of a log that keeps two, %v", len(bases), err)
	}
}
