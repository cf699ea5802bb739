// Package shm has the bare things that limit loops are made of: files mapped into
// memory, atomic words in them, the raw futex call, and the clock. It shares no
// code with the engine, so that a slip there cannot hide in both.
package shm

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Now returns CLOCK_MONOTONIC in nanoseconds, which is one clock for all processes
// of a host. It takes no system call where the kernel offers the clock in user
// space, which unix.ClockGettime does not make use of.
//
//go:linkname Now runtime.nanotime
func Now() int64

// Create makes a file of size bytes that is really allocated and maps it.
func Create(path string, size int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return nil, fmt.Errorf("allocate %s: %w", path, err)
	}
	return mapFile(f, size, unix.PROT_READ|unix.PROT_WRITE, 0)
}

// Grow makes a file longer by size bytes, rounded up to whole pages, that are really
// allocated, and maps these. A file that is not there begins empty.
func Grow(path string, size int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	page := int64(os.Getpagesize())
	size = (size + page - 1) / page * page
	if err := unix.Fallocate(int(f.Fd()), 0, end, size); err != nil {
		return nil, fmt.Errorf("allocate %s: %w", path, err)
	}
	b, err := unix.Mmap(int(f.Fd()), end, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return b, nil
}

// Open maps all of a file that is there, to read and write.
func Open(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return mapFile(f, info.Size(), unix.PROT_READ|unix.PROT_WRITE, 0)
}

// OpenPresent maps all of a file to read, with the pages that are in memory
// already put into the map by the call, which is the cheapest way to them.
func OpenPresent(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return mapFile(f, info.Size(), unix.PROT_READ, unix.MAP_POPULATE)
}

func mapFile(f *os.File, size int64, prot, flags int) ([]byte, error) {
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), prot, unix.MAP_SHARED|flags)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return b, nil
}

// Close takes a mapping away. Nothing taken from it may be touched afterwards.
func Close(b []byte) error { return unix.Munmap(b) }

// Uint64 returns the aligned word at off as an atomic.
func Uint64(b []byte, off int) *atomic.Uint64 {
	_ = b[off : off+8]
	return (*atomic.Uint64)(unsafe.Pointer(&b[off]))
}

// Uint32 returns the aligned word at off as an atomic.
func Uint32(b []byte, off int) *atomic.Uint32 {
	_ = b[off : off+4]
	return (*atomic.Uint32)(unsafe.Pointer(&b[off]))
}

// Wait sleeps in the kernel for as long as *w == value, or until a signal comes.
// Go's scheduler does not know of it, so nothing is added to the bare call.
func Wait(w *atomic.Uint32, value uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), 0, uintptr(value), 0, 0, 0)
}

// Wake wakes whoever sleeps on w.
func Wake(w *atomic.Uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), 1, 1<<30, 0, 0, 0)
}

// Yield lets another thread of this core run, if there is one.
func Yield() { _, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
