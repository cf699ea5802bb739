package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// yielding polls, and leaves the core to others when it has polled for long: with more processes than cores whoever
// is waited for must run.
type yielding struct{ spins int }

func newYielding(e *harness.Env) (producers, consumers waiter) {
	w := yielding{spins: 20 * spinTurns}
	if e.Producers+e.Consumers > runtime.NumCPU() || e.Pin == harness.PinSame {
		w.spins = spinTurns
	}
	return w, w
}

func (yielding) parks() bool     { return false }
func (yielding) wake(*flag, int) {}
func (w yielding) wait(_ *flag, _ int, turn int) {
	if turn >= w.spins {
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// futexes sleep on the flag itself.
type futexes struct{}

func newFutexes(*harness.Env) (producers, consumers waiter) { return futexes{}, futexes{} }

const (
	futexWait = 0
	futexWake = 1
)

func (futexes) parks() bool { return true }

func (futexes) wait(f *flag, _ int, turn int) {
	if turn >= spinTurns {
		_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(f)), futexWait, 1, 0, 0, 0)
	}
}

func (futexes) wake(f *flag, _ int) {
	if f.CompareAndSwap(1, 0) {
		_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(f)), futexWake, 1, 0, 0, 0)
	}
}

// eventfds sleep in a read of the side's eventfd.
type eventfds []int

// addEventfds makes one for each producer and, after them, for each consumer.
func addEventfds(e *harness.Env) error {
	for range e.Producers + e.Consumers {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			return fmt.Errorf("eventfd: %w", err)
		}
		e.Files = append(e.Files, os.NewFile(uintptr(fd), "eventfd"))
	}
	return nil
}

func newEventfds(e *harness.Env) (producers, consumers waiter) {
	var fds eventfds
	for i := range e.Producers + e.Consumers {
		fds = append(fds, int(e.File(1+i).Fd())) // behind the ring itself
	}
	return fds[:e.Producers], fds[e.Producers:]
}

func (eventfds) parks() bool { return true }

func (w eventfds) wait(_ *flag, side int, turn int) {
	if turn >= spinTurns {
		var count [8]byte
		_, _ = unix.Read(w[side], count[:])
	}
}

func (w eventfds) wake(f *flag, side int) {
	if f.CompareAndSwap(1, 0) {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(w[side], one[:])
	}
}
