//go:build !race

// With the race detector, pools drop at random what they are given, and so the
// writers of these tests allocate.

package reader_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/segment"
)

func TestReadingAllocatesNothing(t *testing.T) {
	dir, w := newLog(t)
	for range 400 {
		if _, err := w.Append(context.Background(), []segment.Record{{
			Key: []byte("k"), Value: []byte("v"), Headers: []segment.Header{{Key: "name", Value: []byte("x")}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	r := newReader(t, openSource(t, dir), following(0))
	var rec segment.Record
	if n := testing.AllocsPerRun(300, func() {
		if ok, err := r.TryNext(&rec); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations a record", n)
	}
}

// TestWaitingAllocatesNothing: nor does a wait, in which the reader sleeps.
func TestWaitingAllocatesNothing(t *testing.T) {
	dir, w := newLog(t)
	r := newReader(t, openSource(t, dir), following(0))
	batch := []segment.Record{{Value: []byte("v")}}
	appends := func() {
		if _, err := w.Append(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
	var rec segment.Record
	read := func() {
		if err := r.Next(context.Background(), &rec); err != nil {
			t.Fatal(err)
		}
	}
	appends()
	read()
	awaited := make(chan struct{}, 1)
	go func() {
		for range awaited {
			time.Sleep(time.Millisecond) // far longer than the reader spins
			appends()
		}
	}()
	defer close(awaited)
	least := math.Inf(1) // what the producer's keeper allocates beside, once a second, is in none or in some
	for range 5 {
		least = min(least, testing.AllocsPerRun(20, func() {
			awaited <- struct{}{}
			read()
		}))
	}
	if least >= 1 {
		t.Errorf("%v allocations a wait", least)
	}
}
