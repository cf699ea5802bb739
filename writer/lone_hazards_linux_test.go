//go:build !race

package writer_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// pauseAt has the next append that comes to the stage tell held, and wait for goOn.
func pauseAt(w *writer.Writer, stage writer.Stage) (held, goOn chan bool) {
	held, goOn = make(chan bool), make(chan bool)
	writer.SetHook(w, func(s writer.Stage) {
		if s == stage {
			close(held)
			<-goOn
		}
	})
	return held, goOn
}

// sleepingConsumer waits for the record with this offset, which is not there, and tells when
// it has come. When this returns it sleeps, with its flag up.
func sleepingConsumer(t *testing.T, dir layout.Dir, offset int64) (came chan error) {
	t.Helper()
	src, err := reader.NewSource(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	r, err := reader.NewReader(src, reader.Options{From: offset, Until: reader.Unbounded})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	came = make(chan error, 1)
	go func() {
		var rec segment.Record
		came <- r.Next(context.Background(), &rec)
	}()
	time.Sleep(100 * time.Millisecond)
	return came
}

// writerAndSleeper opens a writer whose next append goes without the lead, in a log where a
// consumer sleeps until that one.
func writerAndSleeper(t *testing.T) (w *writer.Writer, came chan error) {
	t.Helper()
	dir := newLog(t)
	w = openWriter(t, dir)
	fills, err := fillUntilAlone(w)
	if err != nil {
		t.Fatal(err)
	}
	return w, sleepingConsumer(t, dir, int64(fills))
}

// A consumer sleeps, and the append that it waits for has given the lock back and not come
// to its wake-up when the writer is closed. Nobody else flushes or appends.
func TestCloseWakesForAnAppendWithoutTheLead(t *testing.T) {
	w, came := writerAndSleeper(t)
	held, goOn := pauseAt(w, writer.Released)
	appended := make(chan error, 1)
	go func() {
		_, err := appendOne(w, "x")
		appended <- err
	}()
	<-held
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	began := time.Now()
	if err := <-came; err != nil {
		t.Error(err)
	}
	if slept := time.Since(began); slept > time.Second { // the bound of its sleep is two
		t.Errorf("the consumer slept on for %v", slept)
	}
	close(goOn)
	if err := <-appended; err != nil {
		t.Error(err)
	}
}

// The file with the lock is cut while an append has that, so that nobody can see it: the
// segment stays mapped until the append is over.
func TestCloseWaitsThoughTheLockIsGone(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	held, goOn := pauseAt(w, writer.Staged)
	appended, closed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := appendOne(w, "late")
		appended <- err
	}()
	<-held
	if err := os.Truncate(dir.Control(), 0); err != nil {
		t.Fatal(err)
	}
	go func() { closed <- w.Close() }()
	select {
	case err := <-closed:
		t.Error("closed while an append had the lock:", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(goOn)
	if err := <-appended; err != nil {
		t.Error(err)
	}
	<-closed
}

// What is appended without the lead is flushed within the bound, and by Close.
func TestFlushWithoutTheLead(t *testing.T) {
	for _, every := range []time.Duration{20 * time.Millisecond, time.Hour} {
		dir := newLog(t)
		w, err := writer.Open(context.Background(), dir, readMeta(t, dir), writer.Options{FlushEvery: every, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		if _, err := fillUntilAlone(w); err != nil {
			t.Fatal(err)
		}
		if err := w.SyncAll(context.Background()); err != nil { // so that nothing else is owed
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		offset, err := appendOne(w, "x")
		if err != nil {
			t.Fatal(err)
		}
		if every == time.Hour {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
		for deadline := time.Now().Add(10 * time.Second); durableOffset(t, dir) <= offset; time.Sleep(time.Millisecond) {
			if every == time.Hour || time.Now().After(deadline) {
				t.Fatalf("with a flush every %v offset %d is not durable", every, offset)
			}
		}
	}
}

// Another producer rolled, with a record that did not fit, and so left the tail of the
// segment before as it was.
func TestAppendWithoutTheLeadAfterARollByAnother(t *testing.T) {
	dir := newLog(t)
	w, other := openWriter(t, dir), openWriter(t, dir)
	mustAppend(t, w, strings.Repeat("a", 45_000))
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	want := append(readAll(t, dir), strings.Repeat("b", 30_000), "x")
	mustAppend(t, other, want[len(want)-2])
	if _, err := appendOne(w, "x"); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, dir); !slices.Equal(got, want) {
		t.Errorf("log holds %s, want %s", brief(got), brief(want))
	}
}

// A caller that changes a value while it is appended makes no damaged record of it.
func TestValueChangesInAnAppendWithoutTheLead(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	value := make([]byte, 64)
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				for range 1000 {
					value[0]++
				}
			}
		}
	}()
	const appends = 2000
	for range appends {
		for began := time.Now(); time.Since(began) < 5*time.Microsecond; { // or the clock is shared
		}
		if _, err := w.AppendOne(context.Background(), &segment.Record{Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-stopped
	if got := readAll(t, dir); len(got) < appends {
		t.Errorf("%d records of %d can be read", len(got), appends)
	}
}

// A consumer that sleeps is woken by an append without the lead.
func TestAppendWithoutTheLeadWakes(t *testing.T) {
	w, came := writerAndSleeper(t)
	began := time.Now()
	if _, err := appendOne(w, "x"); err != nil {
		t.Fatal(err)
	}
	if err := <-came; err != nil {
		t.Error(err)
	}
	if slept := time.Since(began); slept > time.Second { // the bound of its sleep is two
		t.Errorf("the consumer slept on for %v", slept)
	}
}

// After a sync that failed an append without the lead fails as any does.
func TestPoisonedAppendWithoutTheLead(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	if err := writer.BreakSync(w); err != nil {
		t.Fatal(err)
	}
	if err := w.SyncAll(context.Background()); err == nil {
		t.Fatal("the broken sync succeeded")
	}
	before := len(readAll(t, dir))
	if _, err := appendOne(w, "x"); !errors.Is(err, control.ErrSyncFailed) {
		t.Errorf("an append after a failed sync gave %v", err)
	}
	if got := readAll(t, dir); len(got) != before {
		t.Errorf("%d records where %d were", len(got), before)
	}
}

// A producer dies with the lock, having committed or not, and the next one, which is given
// its slot, cannot be opened. Who appends without the lead must not take the lock for one
// that was given back as it should be: the tail is as he left it, and behind the truth.
func TestAppendWithoutTheLeadAfterAnOpenThatFailed(t *testing.T) {
	for _, stage := range []string{"committed", "staged"} {
		t.Run(stage, func(t *testing.T) {
			dir := newLog(t)
			w := openWriter(t, dir)
			if _, err := fillUntilAlone(w); err != nil {
				t.Fatal(err)
			}
			c := startChild(t, nil, "hold", string(dir), stage, "hang", "c", "d")
			c.expect("held")
			c.kill()
			seen := readAll(t, dir)
			stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
				if c.Path == dir.Wake() && c.Op == "open" {
					return &os.PathError{Op: "open", Path: c.Path, Err: syscall.EMFILE}
				}
				return do()
			})
			failed, err := tryOpen(t, dir)
			stop()
			if err == nil {
				failed.Close()
				t.Fatal("it was opened")
			}
			if _, err := appendOne(w, "e"); err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, dir); !slices.Equal(got, append(seen, "e")) {
				t.Errorf("a reader saw %s, and then %s", brief(seen), brief(got))
			}
		})
	}
}
