package futex

import (
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// waiter is struct futex_waitv of linux/futex.h.
type waiter struct {
	value    uint64
	address  uint64
	flags    uint32
	reserved uint32
}

const (
	size32 = 2 // FUTEX2_SIZE_U32; without FUTEX2_PRIVATE it is a shared futex

	// sysFutexWaitv has this number on every architecture but alpha.
	sysFutexWaitv = 449
)

// WaitAny sleeps while every word has its value, for at most bound. There must be
// no more than MaxWords. Kernels before 5.16 have no such call: ok is false then,
// and nothing was waited for.
func WaitAny(words []*atomic.Uint32, values []uint32, bound time.Duration) (result Result, ok bool) {
	waiters := make([]waiter, len(words))
	for i, w := range words {
		waiters[i] = waiter{value: uint64(values[i]), address: uint64(uintptr(unsafe.Pointer(w))), flags: size32}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return TimedOut, false
	}
	deadline := unix.NsecToTimespec(now.Nano() + int64(max(bound, 0)))
	until := [2]int64{int64(deadline.Sec), int64(deadline.Nsec)} // 64 bits each, also on 32-bit machines
	err := seam.Do("futex_waitv", "", func() error {
		_, _, errno := unix.Syscall6(sysFutexWaitv, uintptr(unsafe.Pointer(&waiters[0])), uintptr(len(waiters)), 0,
			uintptr(unsafe.Pointer(&until)), unix.CLOCK_MONOTONIC, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
	switch {
	case err == nil, errors.Is(err, unix.EINTR):
		return Woken, true
	case errors.Is(err, unix.EAGAIN):
		return Changed, true
	case errors.Is(err, unix.ETIMEDOUT):
		return TimedOut, true
	}
	return TimedOut, false
}
