package futex

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const long = 5 * time.Second

func TestChanged(t *testing.T) {
	var w atomic.Uint32
	w.Store(7)
	if got := Wait(&w, 8, long); got != Changed {
		t.Errorf("%v, want Changed", got)
	}
}

func TestTimedOut(t *testing.T) {
	var w atomic.Uint32
	for _, bound := range []time.Duration{-time.Second, 0, 10 * time.Millisecond} {
		before := time.Now()
		if got := Wait(&w, 0, bound); got != TimedOut {
			t.Errorf("%v: %v, want TimedOut", bound, got)
		}
		if took := time.Since(before); took < bound || took > bound+long/2 {
			t.Errorf("%v: took %v", bound, took)
		}
	}
}

// TestWake: all sleepers wake, and long before their bound. A sleeper that comes
// late sees the change instead.
func TestWake(t *testing.T) {
	var w atomic.Uint32
	var wg sync.WaitGroup
	before := time.Now()
	for range 10 {
		wg.Go(func() {
			for w.Load() == 0 {
				if got := Wait(&w, 0, long); got == TimedOut {
					t.Error("slept to the bound")
				}
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	w.Store(1)
	Wake(&w, All)
	wg.Wait()
	if took := time.Since(before); took > long/2 {
		t.Errorf("took %v", took)
	}
}

// TestWakeOne: as many wake as are asked to.
func TestWakeOne(t *testing.T) {
	if !Native {
		t.Skip("waits are polls here")
	}
	var w atomic.Uint32
	const sleepers = 4
	woken := make(chan Result, sleepers)
	for range sleepers {
		go func() { woken <- Wait(&w, 0, long) }()
	}
	time.Sleep(50 * time.Millisecond) // the word does not change, so a late sleeper sleeps on
	for range sleepers {
		Wake(&w, 1)
		if got := <-woken; got != Woken {
			t.Errorf("%v, want Woken", got)
		}
	}
}
