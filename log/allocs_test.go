//go:build !race

// With the race detector, pools drop at random what they are given.

package log_test

import (
	"context"
	"sync"
	"testing"

	"github.com/seed27ccf144/mlog/log"
)

// TestAppendsAllocateNothing: not one record at a time, not in batches, and not
// while goroutines append at once.
func TestAppendsAllocateNothing(t *testing.T) {
	l, err := log.Open(t.TempDir(), log.Options{FlushEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(log.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	plain := log.Record{Value: make([]byte, 256)}
	large := log.Record{Value: make([]byte, 8<<10)}
	keyed := log.Record{Key: []byte("key"), Value: make([]byte, 64), Headers: []log.Header{{Key: "name", Value: []byte("value")}}}
	batch := make([]log.Record, 100)
	for i := range batch {
		batch[i].Value = make([]byte, 64)
	}
	const goroutines, each = 8, 20
	begin, over := make(chan struct{}), make(chan error)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range begin {
				var err error
				for range each {
					if _, e := w.Append(ctx, plain); e != nil {
						err = e
					}
				}
				over <- err
			}
		})
	}
	appends := map[string]func() error{
		"a plain record": func() error { _, err := w.Append(ctx, plain); return err },
		"a large record": func() error { _, err := w.Append(ctx, large); return err },
		"key and header": func() error { _, err := w.Append(ctx, keyed); return err },
		"a batch":        func() error { _, err := w.AppendBatch(ctx, batch); return err },
		"many at once": func() (err error) {
			for range goroutines {
				begin <- struct{}{}
			}
			for range goroutines {
				if e := <-over; e != nil {
					err = e
				}
			}
			return err
		},
	}
	for name, do := range appends {
		var failed error
		// The average is rounded down: what the background, or a pool that the
		// collector emptied, allocates now and then is not the append's.
		n := testing.AllocsPerRun(200, func() {
			if err := do(); err != nil {
				failed = err
			}
		})
		if failed != nil {
			t.Fatalf("%s: %v", name, failed)
		}
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	close(begin)
	wg.Wait()
}
