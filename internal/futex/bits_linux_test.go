package futex

import (
	"sync/atomic"
	"testing"
	"time"
)

// A wake-up for some bits reaches those who sleep for one of them, and nobody else;
// one for no bits in particular reaches anybody.
func TestBits(t *testing.T) {
	if !Native {
		t.Skip("no wake-ups here")
	}
	for name, bound := range map[string]time.Duration{"briefly": kept, "long": long} {
		t.Run(name, func(t *testing.T) {
			var w atomic.Uint32
			one := make(chan Result, 1)
			go func() { one <- WaitBits(&w, 0, bound, 1<<3) }()
			for began := time.Now(); time.Since(began) < bound/4; {
				if n := WakeBits(&w, 1<<4); n != 0 {
					t.Fatalf("a wake-up for another bit woke %d", n)
				}
			}
			if WakeBits(&w, 0) != 0 {
				t.Error("a wake-up for no bit woke somebody")
			}
			woken := 0
			for woken == 0 {
				woken = WakeBits(&w, 1<<3|1<<5)
				if len(one) > 0 { // the short bound may pass first
					break
				}
			}
			if got := <-one; woken > 0 && got != Woken || woken == 0 && got != TimedOut {
				t.Errorf("%d woken, the sleeper says %v", woken, got)
			}
			go func() { one <- WaitBits(&w, 0, long, 1<<3) }()
			for len(one) == 0 {
				Wake(&w, 1)
			}
			if got := <-one; got != Woken {
				t.Errorf("%v, want Woken", got)
			}
		})
	}
}

// WaitBits knows a word that has changed, and an end of its patience.
func TestBitsBound(t *testing.T) {
	var w atomic.Uint32
	if got := WaitBits(&w, 1, long, 1); got != Changed {
		t.Errorf("%v, want Changed", got)
	}
	for _, bound := range []time.Duration{-time.Second, 0, time.Millisecond, 20 * time.Millisecond} {
		before := time.Now()
		if got := WaitBits(&w, 0, bound, 1); got != TimedOut {
			t.Errorf("%v: %v, want TimedOut", bound, got)
		}
		if took := time.Since(before); took < bound || took > bound+long/2 {
			t.Errorf("%v: took %v", bound, took)
		}
	}
}
