package futex

import (
	"errors"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/seam"
)

const (
	opWait     = 0
	opWake     = 1
	opWaitBits = 9
	opWakeBits = 10
)

// Native reports whether waits are real sleeps that a wake ends.
const Native = true

// Wait sleeps while *w == value, for at most bound.
//
// It goes through the scheduler (Syscall6): the goroutine's processor is handed
// on while the thread sleeps.
func Wait(w *atomic.Uint32, value uint32, bound time.Duration) Result {
	return WaitBits(w, value, bound, AnyBits)
}

// WaitBits is Wait for a wake-up that is meant for one of the bits. It keeps the
// goroutine's processor for the first half millisecond: to give it away and to get
// one again costs more than a short sleep, on cores that who wakes us may need.
func WaitBits(w *atomic.Uint32, value uint32, bound time.Duration, bits uint32) Result {
	switch wait(w, value, bound, bits) {
	case unix.ETIMEDOUT:
		return TimedOut
	case unix.EAGAIN:
		return Changed
	case 0, unix.EINTR:
		return Woken
	}
	// EFAULT (the file was cut) or a kernel without futexes: the word cannot be
	// slept on. Sleep out a little of the bound, so that a caller's loop never
	// spins hot; its next look at the mapped bytes reports the real trouble.
	time.Sleep(min(bound, time.Millisecond))
	return TimedOut
}

func wait(w *atomic.Uint32, value uint32, bound time.Duration, bits uint32) unix.Errno {
	if !seam.Watched() {
		return sleep(w, value, bound, bits)
	}
	err := seam.Do("futex", "", func() error {
		if errno := sleep(w, value, bound, bits); errno != 0 {
			return errno
		}
		return nil
	})
	var errno unix.Errno
	errors.As(err, &errno)
	return errno
}

// kept is how long a sleeper keeps its processor.
const kept = 500 * time.Microsecond

func sleep(w *atomic.Uint32, value uint32, bound time.Duration, bits uint32) unix.Errno {
	bound = max(bound, 0)
	if bits == AnyBits {
		ts := unix.NsecToTimespec(int64(bound))
		_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWait,
			uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, 0)
		return errno
	}
	var now unix.Timespec // this operation takes a time, and no duration
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return unix.ENOSYS
	}
	ts := unix.NsecToTimespec(now.Nano() + int64(min(bound, kept)))
	_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWaitBits,
		uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, uintptr(bits))
	if errno != unix.ETIMEDOUT || bound <= kept {
		return errno
	}
	ts = unix.NsecToTimespec(now.Nano() + int64(bound))
	_, _, errno = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWaitBits,
		uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, uintptr(bits))
	return errno
}

// Wake wakes at most n sleepers of w. It never blocks, hence RawSyscall6: the
// scheduler need not know.
func Wake(w *atomic.Uint32, n int) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWake, uintptr(n), 0, 0, 0)
}

// WakeBits wakes all sleepers of w that wait for one of the bits, or for any, and
// returns how many.
func WakeBits(w *atomic.Uint32, bits uint32) int {
	if bits == 0 {
		return 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWakeBits, uintptr(All), 0, 0, uintptr(bits))
	if errno != 0 {
		return 0
	}
	return int(n)
}

// Yield leaves the core to another thread, of whatever process, that is ready.
func Yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
