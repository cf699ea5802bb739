package log_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

func openLogs(t *testing.T, n int) (writers []*mlog.Writer, readers []*mlog.Reader) {
	t.Helper()
	for range n {
		l, err := mlog.Open(t.TempDir(), mlog.Options{SegmentBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		w, err := l.Writer(mlog.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Reader(mlog.ReaderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		writers, readers = append(writers, w), append(readers, r)
	}
	return writers, readers
}

// Records come to one of three logs at a time, in turn: each wakes the one
// goroutine that waits for all.
func TestWaitAny(t *testing.T) {
	const n = 300
	writers, readers := openLogs(t, 3)
	consumed := make(chan int)
	go func() {
		for i := range n {
			if _, err := writers[i%3].Append(context.Background(), mlog.Record{Value: fmt.Appendf(nil, "%d", i)}); err != nil {
				t.Error(err)
			}
			<-consumed
		}
	}()
	for got := 0; got < n; {
		if err := mlog.WaitAny(context.Background(), readers...); err != nil {
			t.Fatal(err)
		}
		for i, r := range readers {
			rec, ok, err := r.TryNext()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			if want := fmt.Sprintf("%d", got); string(rec.Value) != want || i != got%3 {
				t.Fatalf("log %d has %q, want %q", i, rec.Value, want)
			}
			got++
			consumed <- got
		}
	}
}

func TestWaitAnyEndsWithItsContext(t *testing.T) {
	_, readers := openLogs(t, 2)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	for {
		if err := mlog.WaitAny(ctx, readers...); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			break
		}
	}
	readers[0].Close()
	if err := mlog.WaitAny(context.Background(), readers...); !errors.Is(err, mlog.ErrClosed) {
		t.Errorf("a closed reader gave %v", err)
	}
}

// Whoever reads all there is after each event misses no record.
func TestNotifier(t *testing.T) {
	const n = 2000
	l, err := mlog.Open(t.TempDir(), mlog.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.Reader(mlog.ReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	events, err := l.Notifier()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for i := range n {
			if _, err := w.Append(context.Background(), mlog.Record{Value: []byte("x")}); err != nil {
				t.Error(err)
			}
			if i%50 == 0 {
				time.Sleep(time.Millisecond) // let the consumer fall asleep
			}
		}
	}()
	counter := make([]byte, 8)
	for got := 0; got < n; {
		if _, err := events.File().Read(counter); err != nil { // waits in the runtime's poller
			t.Fatal(err)
		}
		if binary.NativeEndian.Uint64(counter) == 0 {
			t.Error("an event without a count")
		}
		for {
			_, ok, err := r.TryNext()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			got++
		}
	}
	for range 2 {
		if err := events.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
}
