//go:build !linux

package futex

import (
	"sync/atomic"
	"time"
)

// WaitAny is not to be had here.
func WaitAny([]*atomic.Uint32, []uint32, time.Duration) (Result, bool) { return TimedOut, false }
