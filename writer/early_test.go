package writer_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/writer"
)

// A segment that is full is flushed before the bound, if there is one, and the one
// that is being filled is not.
func TestFullSegmentsAreFlushedEarly(t *testing.T) {
	for _, tt := range []struct {
		name  string
		every time.Duration
		early bool
	}{
		{"bound of an hour", time.Hour, true},
		{"never", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := newLog(t)
			w, err := writer.Open(context.Background(), dir, readMeta(t, dir),
				writer.Options{FlushEvery: tt.every, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			var synced [2]atomic.Int32
			defer seam.Watch(string(dir), func(c seam.Call, do func() error) error {
				err := do()
				for i := range synced {
					if c.Op == "fdatasync" && filepath.Base(c.Path) == layout.SegmentName(int64(3*i)) {
						synced[i].Add(1)
					}
				}
				return err
			})()
			for range 4 { // of which the last one rolls
				mustAppend(t, w, big("x"))
			}
			if !tt.early {
				w.Close() // after which the keeper has done all that it was asked for
			} else {
				for give := time.Now().Add(10 * time.Second); durable(t, dir) < 3; time.Sleep(time.Millisecond) {
					if time.Now().After(give) {
						t.Fatal("it was not synced")
					}
				}
			}
			if got := synced[0].Load() > 0; got != tt.early {
				t.Errorf("the full segment was synced: %v", got)
			}
			if synced[1].Load() > 0 || durable(t, dir) > 3 {
				t.Errorf("the segment that is being filled was synced; durable to %d", durable(t, dir))
			}
		})
	}
}

// durable returns the offset before which all of a log is known to be on disk.
func durable(t *testing.T, dir layout.Dir) int64 {
	t.Helper()
	ctl, err := control.Open(dir.Control(), readMeta(t, dir).LogID, false)
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	return int64(ctl.Durable.Load())
}
