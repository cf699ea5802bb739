//go:build !linux

package futex

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Native reports whether waits are real sleeps that a wake ends.
const Native = false

const (
	firstNap = 50 * time.Microsecond
	longNap  = 2 * time.Millisecond
)

// Wait polls *w with a growing pause until it differs from value or bound has
// passed.
func Wait(w *atomic.Uint32, value uint32, bound time.Duration) Result {
	deadline := time.Now().Add(bound)
	for nap := firstNap; ; nap = min(2*nap, longNap) {
		if w.Load() != value {
			return Changed
		}
		left := time.Until(deadline)
		if left <= 0 {
			return TimedOut
		}
		time.Sleep(min(nap, left))
	}
}

// Wake does nothing: sleepers find the change by themselves.
func Wake(*atomic.Uint32, int) {}

// WaitBits is Wait: there are no wake-ups to choose among.
func WaitBits(w *atomic.Uint32, value uint32, bound time.Duration, _ uint32) Result {
	return Wait(w, value, bound)
}

// WakeBits does nothing either, and so wakes none.
func WakeBits(*atomic.Uint32, uint32) int { return 0 }

// Yield leaves the core to another goroutine.
func Yield() { runtime.Gosched() }
