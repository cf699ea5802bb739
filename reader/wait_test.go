package reader_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

func TestFollowing(t *testing.T) {
	for name, opts := range map[string]reader.Options{
		"sleeping": {Until: reader.Unbounded},
		"spinning": {Until: reader.Unbounded, Spin: true},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 2000 // through some rolls
			dir, w := newLog(t)
			r := newReader(t, openSource(t, dir), opts)
			done := make(chan error)
			go func() {
				var rec segment.Record
				for i := range n {
					if err := r.Next(context.Background(), &rec); err != nil {
						done <- err
						return
					}
					if rec.Offset != int64(i) || string(rec.Value) != numberedText(i) {
						done <- errors.New("wrong record " + string(rec.Value))
						return
					}
				}
				done <- nil
			}()
			for i := range n {
				appendTexts(t, w, numberedText(i))
				if i%100 == 0 {
					time.Sleep(time.Millisecond) // so that the reader falls asleep at times
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestContextEndsTheWait(t *testing.T) {
	for name, spin := range map[string]bool{"sleeping": false, "spinning": true} {
		t.Run(name, func(t *testing.T) {
			dir, _ := newLog(t)
			r := newReader(t, openSource(t, dir), reader.Options{Until: reader.Unbounded, Spin: spin})
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(20*time.Millisecond, cancel)
			if err := r.Next(ctx, new(segment.Record)); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			if err := r.Next(ctx, new(segment.Record)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("timed out: %v", err)
			}
		})
	}
}

// Cancelling wakes the sleeper itself: the wait must not go on to the backstop.
// A hundred waits that each lasted to the backstop would take fifty seconds.
func TestCancellationTakesEffectAtOnce(t *testing.T) {
	dir, _ := newLog(t)
	r := newReader(t, openSource(t, dir), following(0))
	began := time.Now()
	for range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Millisecond, cancel)
		if err := r.Next(ctx, new(segment.Record)); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("100 cancellations took %v", took)
	}
}

// Ten thousand goroutines wait for one log: all get the record, and they are not
// ten thousand threads.
func TestTenThousandWaitingReaders(t *testing.T) {
	const n = 10_000
	dir, w := newLog(t)
	src := openSource(t, dir)
	var wait, started sync.WaitGroup
	for range n {
		wait.Add(1)
		started.Add(1)
		r := newReader(t, src, following(0))
		go func() {
			defer wait.Done()
			started.Done()
			var rec segment.Record
			if err := r.Next(context.Background(), &rec); err != nil || string(rec.Value) != "a" {
				t.Errorf("got %q, %v", rec.Value, err)
			}
		}()
	}
	started.Wait()
	time.Sleep(50 * time.Millisecond) // let most fall asleep; the test is right if none does
	if threads := threadCount(t); threads > 64+runtime.NumCPU() {
		t.Errorf("%d readers wait in %d threads", n, threads)
	}
	appendTexts(t, w, "a")
	wait.Wait()
}

// threadCount returns the number of threads of this process, or 0 where that is
// not told.
func threadCount(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "\nThreads:")
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Readers with different needs share one sleeper: one waits for a durable record,
// another for any. Neither may be forgotten when the other sleeps.
func TestDurableAndVisibleReadersShareTheSleeper(t *testing.T) {
	dir, w := newLog(t)
	src := openSource(t, dir)
	durable := newReader(t, src, reader.Options{Until: reader.Unbounded, Durable: true})
	visible := newReader(t, src, following(0))
	for i := range int64(200) {
		got := make(chan error, 2)
		for _, r := range []*reader.Reader{durable, visible} {
			go func() {
				var rec segment.Record
				err := r.Next(context.Background(), &rec)
				if err == nil && rec.Offset != i {
					err = errors.New("wrong offset")
				}
				got <- err
			}()
		}
		if i%3 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		appendTexts(t, w, "x")
		if err := <-got; err != nil { // the visible one, as nothing is synced yet
			t.Fatal(err)
		}
		select {
		case <-got:
			t.Fatalf("record %d was handed out as durable before any sync", i)
		default:
		}
		if err := w.SyncAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
}

func TestDurableReaderOfPoisonedLog(t *testing.T) {
	dir, w := newLog(t)
	src := openSource(t, dir)
	r := newReader(t, src, reader.Options{Until: reader.Unbounded, Durable: true})
	appendTexts(t, w, "a")
	got := make(chan error)
	go func() { got <- r.Next(context.Background(), new(segment.Record)) }()
	ctl, err := control.Open(dir.Control(), readMeta(t, dir).LogID, true)
	if err != nil {
		t.Fatal(err)
	}
	defer ctl.Close()
	ctl.Poison.Store(5)
	if err := <-got; !errors.Is(err, control.ErrSyncFailed) {
		t.Errorf("the reader got %v", err)
	}
}

func TestClosingTheSourceEndsWaits(t *testing.T) {
	dir, _ := newLog(t)
	src := openSource(t, dir)
	got := make(chan error)
	for range 5 {
		r := newReader(t, src, following(0))
		go func() { got <- r.Next(context.Background(), new(segment.Record)) }()
	}
	time.Sleep(10 * time.Millisecond)
	src.Close()
	for range 5 {
		if err := <-got; !errors.Is(err, reader.ErrClosed) {
			t.Errorf("a waiting reader got %v", err)
		}
	}
	if _, err := reader.NewReader(src, following(0)); !errors.Is(err, reader.ErrClosed) {
		t.Errorf("a new reader got %v", err)
	}
}

// Whoever may read the log may cut the wake file. Readers that sleep on it, or
// are about to, still get the next record.
func TestWakeFileCutUnderReaders(t *testing.T) {
	skipCuts(t)
	dir, w := newLog(t)
	src := openSource(t, dir)
	r := newReader(t, src, following(0))
	for i := range int64(20) {
		got := make(chan error)
		go func() {
			var rec segment.Record
			err := r.Next(context.Background(), &rec)
			if err == nil && rec.Offset != i {
				err = errors.New("wrong offset")
			}
			got <- err
		}()
		time.Sleep(time.Duration(i%4) * time.Millisecond)
		if err := os.Truncate(dir.Wake(), 0); err != nil {
			t.Fatal(err)
		}
		appendTexts(t, w, "x")
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
}

// A control file made anew under a live reader does not leave it with the words
// of the old one for ever.
func TestControlReplacedUnderDurableReader(t *testing.T) {
	dir, w := newLog(t)
	appendTexts(t, w, "a")
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, openSource(t, dir), reader.Options{Until: reader.Unbounded, Durable: true})
	wantNext(t, r, 0, "a")
	w.Close()
	if err := os.Remove(dir.Control()); err != nil {
		t.Fatal(err)
	}
	w = openWriter(t, dir)
	appendTexts(t, w, "b")
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := r.Next(context.Background(), new(segment.Record)); err != nil { // the test's time-out is the bound
		t.Fatal(err)
	}
}

// Contexts end at about the time at which records come, and everything is closed
// at once thereafter. An interruption that came late would touch memory that is
// no longer ours: the next log's files, mapped in the same place, must not change.
func TestLateCancellation(t *testing.T) {
	for range 300 {
		dir, w := newLog(t)
		src, err := reader.NewSource(dir, readMeta(t, dir))
		if err != nil {
			t.Fatal(err)
		}
		r, err := reader.NewReader(src, following(0))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		got := make(chan error)
		go func() { got <- r.Next(ctx, new(segment.Record)) }()
		time.Sleep(50 * time.Microsecond)
		go cancel()
		appendTexts(t, w, "x")
		if err := <-got; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		r.Close()
		src.Close()
		w.Close()
	}
}

// A look at a log leaves its files as they are, and wakes nobody.
func TestLookingChangesNothing(t *testing.T) {
	dir, w := newLog(t)
	appendTexts(t, w, "a")
	before, err := os.ReadFile(dir.Wake())
	if err != nil {
		t.Fatal(err)
	}
	src, err := reader.NewSource(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	r, err := reader.NewReader(src, following(0))
	if err != nil {
		t.Fatal(err)
	}
	wantNext(t, r, 0, "a")
	r.Close()
	src.Close()
	after, err := os.ReadFile(dir.Wake())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the wake file changed (%v)", err)
	}
}
