//go:build !race

package writer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/wake"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// appendOne appends one record the way that most are.
func appendOne(w *writer.Writer, text string) (int64, error) {
	return w.AppendOne(context.Background(), &segment.Record{Value: []byte(text)})
}

// fillUntilAlone appends records until the next one goes without the lead, and returns
// how many that were.
func fillUntilAlone(w *writer.Writer) (fills int, err error) {
	for ; !writer.GoesAlone(w); fills++ {
		if fills == 3000 {
			return fills, errors.New("no append goes without the lead")
		}
		if _, err := appendOne(w, "fill"); err != nil {
			return fills, err
		}
		if !writer.Met(w) {
			time.Sleep(time.Millisecond) // until the keeper has opened the index
		}
	}
	return fills, nil
}

var _ = addRole("hold-alone", holdAloneRole)

// holdAloneRole (DIR STAGE) appends records until one goes without the lead. That one,
// "d", hangs at the stage, having said "held" and how many were before.
func holdAloneRole(args []string) error {
	w, err := openInChild(args[0])
	if err != nil {
		return err
	}
	fills, err := fillUntilAlone(w)
	if err != nil {
		return err
	}
	writer.SetHook(w, func(s writer.Stage) {
		if s == stages[args[1]] {
			fmt.Println("held", fills)
			bufio.NewScanner(os.Stdin).Scan()
		}
	})
	_, err = appendOne(w, "d")
	return errors.Join(err, errors.New("it did not hang"))
}

// An append without the lead stores in the order of any other, as another process sees
// it, and what a death in it leaves is repaired alike.
func TestDeathInAnAppendWithoutTheLead(t *testing.T) {
	for _, test := range []struct {
		stage             string
		owner, seen, tail int // beyond the fills
	}{
		{"locked", 2, 0, 0},
		{"staged", 2, 0, 0},
		{"committed", 2, 1, 0},
		{"released", 0, 1, 1},
	} {
		t.Run(test.stage, func(t *testing.T) {
			dir := newLog(t)
			w := openWriter(t, dir)
			c := startChild(t, nil, "hold-alone", string(dir), test.stage)
			fills, err := strconv.Atoi(c.expect("held"))
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("lock %d, active 0; 0: %d committed, tail %d", test.owner, fills+test.seen, fills+test.tail)
			if got := state(t, dir); got != want {
				t.Errorf("the files say\n\t%s\nwant\n\t%s", got, want)
			}
			c.kill()
			mustAppend(t, w, "next")
			texts := slices.Repeat([]string{"fill"}, fills)
			if test.seen > 0 {
				texts = append(texts, "d")
			}
			if got := readAll(t, dir); !slices.Equal(got, append(texts, "next")) {
				t.Errorf("log holds %s, want %d fills, d: %d, next", brief(got), fills, test.seen)
			}
		})
	}
}

// A memory fault in an append without the lead: what was committed is appended, and the
// next one repairs.
func TestFaultInAnAppendWithoutTheLead(t *testing.T) {
	for stage, committed := range map[writer.Stage]bool{writer.Locked: false, writer.Staged: false, writer.Committed: true} {
		t.Run(fmt.Sprint(stage), func(t *testing.T) {
			dir := newLog(t)
			w := openWriter(t, dir)
			fills, err := fillUntilAlone(w)
			if err != nil {
				t.Fatal(err)
			}
			path := dir.Segment(0)
			var content []byte
			writer.SetHook(w, func(s writer.Stage) {
				if s != stage || content != nil {
					return
				}
				if content, err = os.ReadFile(path); err == nil {
					err = os.Truncate(path, 0)
				}
				if err != nil {
					t.Error(err)
				}
			})
			offset, err := appendOne(w, "c")
			var f *fault.Error
			if committed && (err != nil || offset != int64(fills)) || !committed && !errors.As(err, &f) {
				t.Errorf("the append that met a fault gave %d, %v", offset, err)
			}
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := file.WriteAt(content, 0); err != nil { // the same file: it is mapped
				t.Fatal(err)
			}
			other := openWriter(t, dir)
			before := writer.Takeovers(other).Load()
			mustAppend(t, other, "next")
			if n := writer.Takeovers(other).Load() - before; n != 1 {
				t.Errorf("%d repairs", n)
			}
			want := slices.Repeat([]string{"fill"}, fills)
			if committed {
				want = append(want, "c")
			}
			if got := readAll(t, dir); !slices.Equal(got, append(want, "next")) {
				t.Errorf("log holds %s", brief(got))
			}
		})
	}
}

// Who closes a writer waits for an append that has the log's lock, and for no other.
func TestCloseWaitsForAnAppendWithoutTheLead(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	fills, err := fillUntilAlone(w)
	if err != nil {
		t.Fatal(err)
	}
	held, goOn := pauseAt(w, writer.Staged)
	type result struct {
		offset int64
		err    error
	}
	appended, closed := make(chan result, 1), make(chan error, 1)
	go func() {
		offset, err := appendOne(w, "late")
		appended <- result{offset, err}
	}()
	<-held
	go func() { closed <- w.Close() }()
	select {
	case <-closed:
		t.Error("closed while an append had the lock")
	case <-time.After(50 * time.Millisecond):
	}
	close(goOn)
	if r := <-appended; r.err != nil || r.offset != int64(fills) {
		t.Errorf("the append gave %d, %v", r.offset, r.err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := appendOne(w, "too late"); !errors.Is(err, writer.ErrClosed) {
		t.Errorf("append to a closed writer: %v", err)
	}
	if got := readAll(t, dir); !slices.Equal(got, append(slices.Repeat([]string{"fill"}, fills), "late")) {
		t.Errorf("log holds %s", brief(got))
	}
}

// Goroutines that meet use the lead from then on, and go without it again when they have
// parted.
func TestGoroutinesThatMeet(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	held, goOn := make(chan bool), make(chan bool)
	var once sync.Once
	writer.SetHook(w, func(s writer.Stage) {
		if s == writer.Staged {
			once.Do(func() {
				close(held)
				<-goOn
			})
		}
	})
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := appendOne(w, "first"); err != nil {
			t.Error(err)
		}
	})
	<-held
	both.Go(func() {
		if _, err := appendOne(w, "second"); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(10 * time.Second); !writer.Met(w); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second does not meet the first")
		}
	}
	close(goOn)
	both.Wait()
	if writer.GoesAlone(w) {
		t.Error("goroutines that have just met go without the lead")
	}
	if _, err := fillUntilAlone(w); err != nil {
		t.Error(err)
	}
}

// An append that has looked at the writer, and comes to the lock only when the writer is
// closed and its slot another producer's, does nothing: neither to that one's lock nor to
// memory that is no longer there.
func TestAppendThatComesToTheLockAfterClose(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(readAll(t, dir))
	other := openWriter(t, dir)
	if slot := writer.Slot(other); slot != writer.Slot(w) {
		t.Fatalf("the new producer has slot %d and not the old one's, so this tests something else", slot)
	}
	late := func() {
		if appended, err := writer.AppendLate(w, []byte("late")); appended || err != nil {
			t.Errorf("the late append appended: %v, %v", appended, err)
		}
	}
	late()
	ctl := openControl(t, dir)
	if owner := ctl.Lock.Owner(); !writer.TryLock(w) || ctl.Lock.Owner() != owner {
		t.Errorf("a late append that has not looked yet whether the writer is closed has the lock of %d", ctl.Lock.Owner())
	}
	writer.SetHook(other, func(s writer.Stage) {
		if s == writer.Locked || s == writer.Staged {
			late()
			if owner := ctl.Lock.Owner(); owner != writer.Slot(other) {
				t.Errorf("the late append left the lock to %d", owner)
			}
		}
	})
	mustAppend(t, other, "a")
	if owner := ctl.Lock.Owner(); owner != 0 {
		t.Errorf("the lock is %d's", owner)
	}
	if got := readAll(t, dir); len(got) != before+1 || got[before] != "a" {
		t.Errorf("log holds %s after %d fills", brief(got), before)
	}
}

// Producers come and go while their goroutines append, and slots go from one to the
// next: each record that was acknowledged is there, once, at its offset.
func TestCloseAmongAppends(t *testing.T) {
	dir := newLogWith(t, layout.Settings{SegmentBytes: 1 << 20, Mode: 0o600})
	openWriter(t, dir) // has slot 1 all the time
	var mu sync.Mutex
	acknowledged := map[int64]string{}
	life := func(name string) {
		w, err := tryOpen(t, dir)
		if err != nil {
			t.Error(err)
			return
		}
		var all sync.WaitGroup
		for g := range 3 {
			all.Go(func() {
				for i := 0; ; i++ {
					text := fmt.Sprintf("%s.%d.%d", name, g, i)
					offset, err := appendOne(w, text)
					if errors.Is(err, writer.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					acknowledged[offset] = text
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
	var producers sync.WaitGroup
	for p := range 2 {
		producers.Go(func() {
			for n := range 40 {
				life(fmt.Sprintf("%d.%d", p, n))
			}
		})
	}
	producers.Wait()
	if owner := openControl(t, dir).Lock.Owner(); owner != 0 {
		t.Errorf("the lock is %d's", owner)
	}
	got := readAll(t, dir)
	if len(got) != len(acknowledged) {
		t.Errorf("%d records for %d acknowledged", len(got), len(acknowledged))
	}
	for offset, text := range acknowledged {
		if int(offset) >= len(got) || got[offset] != text {
			t.Fatalf("offset %d is not %q", offset, text)
		}
	}
	t.Logf("%d records", len(got))
}

// TestTickLooksAgain: what an append of a run may not see when it looks, the next tick does: a consumer
// that waits, and a keeper that takes everything for flushed.
func TestTickLooksAgain(t *testing.T) {
	dir := newLog(t)
	w, err := writer.Open(t.Context(), dir, readMeta(t, dir), writer.Options{FlushEvery: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	file, err := wake.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	room := wake.NewRoom(file)
	var woken sync.WaitGroup
	woken.Go(func() {
		looks := 0
		if err := room.Wait(t.Context(), func() bool { looks++; return looks > 100 }); err != nil {
			t.Error(err)
		}
	})
	for !writer.FlagIsRaised(w) { // the test's own time-out is the bound
		time.Sleep(100 * time.Microsecond)
	}
	if writer.OwesFlush(w) {
		t.Fatal("a flush is owed already")
	}
	writer.Tick(w)
	if writer.FlagIsRaised(w) {
		t.Error("nobody was woken")
	}
	if !writer.OwesFlush(w) {
		t.Error("the keeper was not asked to flush")
	}
	woken.Wait()
}
