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
	opWait = 0
	opWake = 1
)

// Native reports whether waits are real sleeps that a wake ends.
const Native = true

// Wait sleeps while *w == value, for at most bound.
//
// It goes through the scheduler (Syscall6): the goroutine's processor is handed
// on while the thread sleeps.
func Wait(w *atomic.Uint32, value uint32, bound time.Duration) Result {
	switch wait(w, value, bound) {
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

func wait(w *atomic.Uint32, value uint32, bound time.Duration) unix.Errno {
	if !seam.Watched() {
		return sleep(w, value, bound)
	}
	err := seam.Do("futex", "", func() error {
		if errno := sleep(w, value, bound); errno != 0 {
			return errno
		}
		return nil
	})
	var errno unix.Errno
	errors.As(err, &errno)
	return errno
}

func sleep(w *atomic.Uint32, value uint32, bound time.Duration) unix.Errno {
	ts := unix.NsecToTimespec(int64(max(bound, 0)))
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWait,
		uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, 0)
	return errno
}

// Wake wakes at most n sleepers of w. It never blocks, hence RawSyscall6: the
// scheduler need not know.
func Wake(w *atomic.Uint32, n int) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWake, uintptr(n), 0, 0, 0)
}
