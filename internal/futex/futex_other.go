//go:build !linux

package futex

import (
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
