package writer_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/writer"
)

// While a sync is at work another producer rolls, once for each segment that is
// synced. The sync comes to an end all the same: it owes its caller no more than
// what was there when it began.
func TestSyncBehindProducerThatRolls(t *testing.T) {
	const most = 30
	dir := newLog(t)
	w, other := openWriter(t, dir), openWriter(t, dir)
	end := mustAppend(t, w, big("1")) + 1
	for _, text := range []string{"2", "3", "4"} { // the last one in a second segment
		end = mustAppend(t, w, big(text)) + 1
	}
	var rolls atomic.Int32
	stop := seam.Watch(filepath.Dir(string(dir)), func(c seam.Call, do func() error) error {
		if c.Op == "fdatasync" && c.Path != dir.NextSpare() && rolls.Add(1) <= most {
			mustAppend(t, other, big("a"), big("b"), big("c"))
		}
		return do()
	})
	defer stop()
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := rolls.Load(); n != 2 {
		t.Errorf("a sync of two segments synced %d", n)
	}
	if durable := durableOffset(t, dir); durable < end {
		t.Errorf("durable to %d, want %d", durable, end)
	}
}

// A segment is synced early while another one is what was synced last. The sync that
// follows has that one open still, so that it is told of any write-back that failed
// meanwhile; and closing saves the mark that is in it, not in the other.
func TestEarlySyncLeavesTheLastOneOpen(t *testing.T) {
	dir := newLog(t)
	w := openWatched(t, dir, time.Hour, func(_ string, sync func() error) error { return sync() })
	for range 4 { // the last one in a second segment
		mustAppend(t, w, big("x"))
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := writer.SyncOne(w, 0); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, w, "y")
	var opened, synced atomic.Int32
	last := dir.Segment(3)
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		switch {
		case c.Op == "open" && c.Path == last:
			opened.Add(1)
		case c.Op == "fdatasync" && writer.DataOf(c.File) == "data 3":
			synced.Add(1)
		}
		return do()
	})
	defer stop()
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if opened.Load() != 0 || synced.Load() != 1 {
		t.Errorf("the segment was opened %d times and synced %d times, want 0 and 1", opened.Load(), synced.Load())
	}
	if err := writer.SyncOne(w, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if synced.Load() != 2 {
		t.Errorf("closing did not save the durable mark")
	}
}
