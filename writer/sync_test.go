package writer_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/writer"
)

var defaultSettings = layout.Settings{SegmentBytes: 64 << 20, Mode: 0o600}

func durableOffset(t *testing.T, dir layout.Dir) int64 {
	t.Helper()
	ctl, err := control.Open(dir.Control(), readMeta(t, dir).LogID, false)
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	offset, err := ctl.DurableOffset()
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func TestSyncCoversAllSegments(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for range 10 {
		mustAppend(t, w, big("x"))
	}
	if got := durableOffset(t, dir); got != 0 {
		t.Fatalf("%d records are durable before any sync", got)
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := durableOffset(t, dir); got != 10 {
		t.Errorf("%d of 10 records are durable", got)
	}
}

// Every waiter's records are covered, and far fewer syncs than appends do it, on a disk
// that takes longer for one than they take to append again.
func TestGroupCommit(t *testing.T) {
	const goroutines, each = 32, 20
	dir := newLogWith(t, defaultSettings)
	slow := func(_ string, sync func() error) error {
		time.Sleep(5 * time.Millisecond)
		return sync()
	}
	first, stop, err := writer.OpenWatched(context.Background(), dir, readMeta(t, dir), writer.Options{Logger: slog.New(slog.DiscardHandler)}, slow)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		first.Close()
		stop()
	})
	producers := []*writer.Writer{first, openWriter(t, dir)}
	var wait sync.WaitGroup
	for g := range goroutines {
		wait.Add(1)
		go func() {
			defer wait.Done()
			w := producers[g%2]
			for range each {
				base, err := w.Append(context.Background(), values("x"))
				if err == nil {
					err = w.Sync(context.Background(), base+1)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if durable := durableOffset(t, dir); durable <= base {
					t.Errorf("offset %d was acknowledged as durable, but only those below %d are", base, durable)
				}
			}
		}()
	}
	wait.Wait()
	t.Logf("%d syncs for %d durable appends", writer.Syncs(first).Load(), goroutines*each)
	if n := writer.Syncs(producers[0]).Load(); n > goroutines*each/2 {
		t.Errorf("%d syncs for %d durable appends: they are not shared", n, goroutines*each)
	}
}

// A sync that fails is everybody's, for good.
func TestFailedSyncPoisonsTheLog(t *testing.T) {
	dir := newLog(t)
	w, other := openWriter(t, dir), openWriter(t, dir)
	mustAppend(t, w, "a")
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, w, "b")
	if err := writer.BreakSync(w); err != nil {
		t.Fatal(err)
	}
	for range 2 { // never retried
		if err := w.SyncAll(context.Background()); !errors.Is(err, control.ErrSyncFailed) {
			t.Errorf("a failed sync gave %v", err)
		}
	}
	for _, p := range []*writer.Writer{w, other} {
		if _, err := p.Append(context.Background(), values("c")); !errors.Is(err, control.ErrSyncFailed) {
			t.Errorf("an append after a failed sync gave %v", err)
		}
		if err := p.Sync(context.Background(), 1); !errors.Is(err, control.ErrSyncFailed) {
			t.Errorf("a sync after a failed sync gave %v", err)
		}
	}
	if got := durableOffset(t, dir); got != 1 {
		t.Errorf("%d records are durable, want 1", got)
	}
	if got, want := readAll(t, dir), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("log holds %q, want %q", got, want)
	}
}

// Without anybody asking, a record is durable after the flush bound.
func TestBackgroundFlush(t *testing.T) {
	dir := newLog(t)
	w, err := writer.Open(context.Background(), dir, readMeta(t, dir),
		writer.Options{FlushEvery: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range int64(3) {
		mustAppend(t, w, "x")
		for durableOffset(t, dir) != i+1 {
			time.Sleep(time.Millisecond) // the test's own time-out is the bound
		}
	}
}

func TestCloseMakesDurable(t *testing.T) {
	dir := newLog(t)
	w, err := writer.Open(context.Background(), dir, readMeta(t, dir),
		writer.Options{FlushEvery: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, w, "a")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := durableOffset(t, dir); got != 1 {
		t.Errorf("%d records are durable after Close, want 1", got)
	}
}

// Retention may remove a segment that the sync is about to come to. What is gone
// needs no sync, and what is left gets it.
func TestSyncWhileRetentionRemovesSegments(t *testing.T) {
	dir := newLog(t)
	setRetention(t, dir, layout.Retention{Bytes: 2 * smallest})
	w := openWriter(t, dir)
	for i := range int64(300) {
		mustAppend(t, w, big("x"))
		if i%10 != 9 {
			continue
		}
		if err := w.SyncAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := durableOffset(t, dir); got != i+1 {
			t.Fatalf("%d records are durable, want %d", got, i+1)
		}
	}
}
