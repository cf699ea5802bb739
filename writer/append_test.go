package writer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// Goroutines of two producers append at once. Every record is in the log once, at
// the offset that was returned for it, and in the order of its goroutine.
func TestManyGoroutinesOfTwoProducers(t *testing.T) {
	const goroutines, each = 32, 300
	dir := newLog(t)
	producers := []*writer.Writer{openWriter(t, dir), openWriter(t, dir)}
	got := make([][]int64, goroutines)
	var wait sync.WaitGroup
	for g := range goroutines {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range each {
				base, err := producers[g%2].Append(context.Background(), values(fmt.Sprintf("%d %d", g, i)))
				if err != nil {
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
				got[g] = append(got[g], base)
			}
		}()
	}
	wait.Wait()
	texts := readAll(t, dir)
	if len(texts) != goroutines*each {
		t.Fatalf("log holds %d records, want %d", len(texts), goroutines*each)
	}
	for g, offsets := range got {
		if !slices.IsSorted(offsets) {
			t.Errorf("offsets of goroutine %d are out of order", g)
		}
		for i, offset := range offsets {
			if want := fmt.Sprintf("%d %d", g, i); texts[offset] != want {
				t.Fatalf("offset %d holds %q, want %q", offset, texts[offset], want)
			}
		}
	}
}

// While one goroutine holds the lock, others queue; then one of them writes for
// all, under one lock.
func TestGoroutinesCombine(t *testing.T) {
	const waiting = 20
	dir := newLog(t)
	w := openWriter(t, dir)
	held, goOn := make(chan bool), make(chan bool)
	locks := 0
	writer.SetHook(w, func(s writer.Stage) {
		if s == writer.Locked {
			if locks++; locks == 1 {
				held <- true
				<-goOn
			}
		}
	})
	var wait sync.WaitGroup
	appendOne := func() {
		defer wait.Done()
		if _, err := w.Append(context.Background(), values("x")); err != nil {
			t.Error(err)
		}
	}
	wait.Add(1)
	go appendOne()
	<-held
	wait.Add(waiting)
	for range waiting {
		go appendOne()
	}
	for writer.Queued(w) < waiting {
		time.Sleep(time.Millisecond)
	}
	goOn <- true
	wait.Wait()
	if locks != 2 {
		t.Errorf("%d appends took the lock %d times, want 2", waiting+1, locks)
	}
	if n := len(readAll(t, dir)); n != waiting+1 {
		t.Errorf("log holds %d records, want %d", n, waiting+1)
	}
}

func TestGivingUpWhileQueued(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	held, goOn := make(chan bool), make(chan bool)
	first := true
	writer.SetHook(w, func(s writer.Stage) {
		if s == writer.Locked && first {
			first = false
			held <- true
			<-goOn
		}
	})
	done := make(chan error)
	go func() {
		_, err := w.Append(context.Background(), values("a"))
		done <- err
	}()
	<-held
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for writer.Queued(w) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := w.Append(ctx, values("given up")); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled append gave %v", err)
	}
	goOn <- true
	if err := <-done; err != nil {
		t.Error(err)
	}
	mustAppend(t, w, "b")
	if got, want := readAll(t, dir), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("log holds %q, want %q", got, want)
	}
}

// Appends that race with Close either succeed and are in the log, or say that the
// writer is closed. None hangs.
func TestCloseUnderAppends(t *testing.T) {
	for range 20 {
		dir := newLog(t)
		w := openWriter(t, dir)
		var wait sync.WaitGroup
		var mu sync.Mutex
		appended := 0
		for range 8 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for {
					_, err := w.Append(context.Background(), values("x"))
					if errors.Is(err, writer.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					appended++
					mu.Unlock()
				}
			}()
		}
		time.Sleep(time.Millisecond)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		wait.Wait()
		if n := len(readAll(t, dir)); n != appended {
			t.Fatalf("log holds %d records, %d were acknowledged", n, appended)
		}
	}
}

func TestLargestRecord(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	largest := int(w.MaxFrame() - segment.FrameBytes)
	_, err := w.Append(context.Background(), values(strings.Repeat("x", largest+1)))
	var large *segment.TooLargeError
	if !errors.As(err, &large) || large.Size != w.MaxFrame()+1 || large.Max != w.MaxFrame() {
		t.Errorf("a byte too many gave %v", err)
	}
	if got := readAll(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the refused record left %d records", len(got))
	}
	for range 2 {
		mustAppend(t, w, strings.Repeat("y", largest))
	}
	if got := readAll(t, dir); len(got) != 3 || len(got[2]) != largest {
		t.Errorf("log holds %d records", len(got))
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	ahead := time.Now().Add(time.Hour)
	writer.SetClockAhead(w, ahead.UnixNano())
	for range 8 { // through rolls, and by another producer
		mustAppend(t, w, big("b"))
		mustAppend(t, openWriter(t, dir), big("c"))
	}
	readAll(t, dir) // checks the order of times
}

// A stranger cuts a segment under a live producer: an error, not the death of the
// process.
func TestSegmentTruncatedUnderProducer(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	if err := os.Truncate(dir.Segment(0), 0); err != nil {
		t.Fatal(err)
	}
	_, err := w.Append(context.Background(), values("b"))
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Errorf("append gave %v, want a fault.Error", err)
	}
	if _, err := w.Append(context.Background(), values("c")); err == nil {
		t.Error("the next append succeeded on a cut segment")
	}
}

// Consumers may write the wake file, so they may cut it too. Producers go on.
func TestWakeFileTruncatedUnderProducer(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	if err := os.Truncate(dir.Wake(), 0); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, w, "b")
	if base := mustAppend(t, w, "c"); base != 2 {
		t.Errorf("offset %d, want 2", base)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	w := openWriter(t, newLogWith(t, defaultSettings))
	records := values(strings.Repeat("x", 256))
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := w.Append(ctx, records); err != nil {
			t.Fatal(err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations an append", n)
	}
}

// The tail is a hint. One that is behind the truth, as that of a file put back
// from a backup, must not have committed batches overwritten.
func TestTailBehindTheTruth(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	batches, _ := logtest.Batches(t, dir, 0)
	behind := binary.LittleEndian.AppendUint64(nil, segment.Cursor{Position: batches[0].Next(), Count: 1}.Pack())
	mustAppend(t, w, "b")
	mustAppend(t, w, "c")
	for i, tail := range [][]byte{behind, make([]byte, 8), {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		logtest.Overwrite(t, dir, 0, 128, tail)
		if base := mustAppend(t, w, "d"); base != int64(3+i) {
			t.Errorf("tail %x: the next offset was %d, want %d", tail, base, 3+i)
		}
	}
	if got, want := readAll(t, dir), []string{"a", "b", "c", "d", "d", "d"}; !slices.Equal(got, want) {
		t.Errorf("log holds %q, want %q", got, want)
	}
}
