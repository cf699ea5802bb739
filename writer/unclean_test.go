//go:build unix

package writer_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/writer"
)

// A producer that meets a memory fault in the middle of an append gives the lock
// back and lives on. Whoever takes it next repairs, as after a death.
func TestFaultInAnAppendIsRepairedByTheNext(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux is it sure that touching a page beyond the end of a file faults as a signal that Go makes a panic of")
	}
	tests := map[string]struct {
		stage writer.Stage
		text  func(string) string
		want  []string // what is there after the other producer has appended "next"
	}{
		"nothing written": {writer.Locked, func(s string) string { return s }, []string{"a", "b", "next"}},
		"staged":          {writer.Staged, func(s string) string { return s }, []string{"a", "b", "next"}},
		"committed":       {writer.Committed, func(s string) string { return s }, []string{"a", "b", "c", "next"}},
		// Were this not repaired, the next record would go where the new segment's name
		// says that it is not.
		"a roll": {writer.Named, big, []string{big("a"), big("b"), "next"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := newLog(t)
			w, other := openWriter(t, dir), openWriter(t, dir)
			for _, text := range []string{"a", "b"} {
				mustAppend(t, w, test.text(text))
			}
			path := dir.Segment(0)
			var content []byte
			writer.SetHook(w, func(s writer.Stage) {
				if s != test.stage || content != nil {
					return
				}
				var err error
				if content, err = os.ReadFile(path); err == nil {
					err = os.Truncate(path, 0)
				}
				if err != nil {
					t.Error(err)
				}
			})
			batch := values(test.text("c"))
			if test.stage == writer.Named {
				batch = values(test.text("c"), test.text("d")) // and so does not fit
			}
			_, err := w.Append(context.Background(), batch)
			var f *fault.Error
			if committed := test.stage == writer.Committed; committed != (err == nil) || !committed && !errors.As(err, &f) {
				t.Errorf("the append that met a fault gave %v", err)
			}
			if content == nil {
				t.Fatal("the stage was not reached")
			}
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if _, err := file.WriteAt(content, 0); err != nil { // the same file: it is mapped
				t.Fatal(err)
			}

			before := writer.Takeovers(other).Load()
			offset := mustAppend(t, other, "next")
			if n := writer.Takeovers(other).Load() - before; n != 1 {
				t.Errorf("the next producer repaired %d times, want once", n)
			}
			if got := readAll(t, dir); offset != int64(len(test.want))-1 || !slices.Equal(got, test.want) {
				t.Errorf("the next record got offset %d, the log holds %s, want %s", offset, brief(got), brief(test.want))
			}
			if got := readOne(t, dir, offset); got != "next" {
				t.Errorf("offset %d holds %.20q", offset, got)
			}
			if base := mustAppend(t, w, "again"); base != offset+1 {
				t.Errorf("the one that met the fault appends at %d, want %d", base, offset+1)
			}
			if n := writer.Takeovers(w).Load() - before; n != 1 {
				t.Errorf("there were %d repairs, want one", n)
			}
		})
	}
}

// Of two batches of one round the second meets a memory fault. The first one is
// acknowledged, so it is flushed within the bound like any other.
func TestCommittedBeforeAFaultIsFlushed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux is it sure that touching a page beyond the end of a file faults as a signal that Go makes a panic of")
	}
	dir := newLog(t)
	w := openWatched(t, dir, 10*time.Millisecond, func(_ string, sync func() error) error { return sync() })
	mustAppend(t, w, "a")
	for durableOffset(t, dir) < 1 { // the test's own time-out is the bound
		time.Sleep(time.Millisecond)
	}
	give := writer.Lead(w)
	cut := false
	writer.SetHook(w, func(s writer.Stage) {
		if s == writer.Committed && !cut {
			cut = true
			if err := os.Truncate(dir.Segment(0), 28<<10); err != nil { // behind the first, 20 KiB
				t.Error(err)
			}
		}
	})
	results := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := w.Append(context.Background(), values(big("b")))
			results <- err
		}()
	}
	for writer.Queued(w) < 2 {
		time.Sleep(time.Millisecond)
	}
	give()
	var f *fault.Error
	if first, second := <-results, <-results; (first == nil) == (second == nil) || !errors.As(errors.Join(first, second), &f) {
		t.Fatalf("the appends gave %v and %v; want a fault in one of them", first, second)
	}
	for durableOffset(t, dir) < 2 {
		time.Sleep(time.Millisecond)
	}
}
