package writer_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
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
