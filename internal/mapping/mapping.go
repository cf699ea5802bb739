// Package mapping maps files into memory and hands out atomic words in the
// mapped bytes. It and package futex are the only ones here that use unsafe;
// what they guarantee is that every word lies within its slice and is aligned.
//
// A mapping stays whole for as long as the file keeps its length. Should a
// stranger cut the file, an access faults: callers run such accesses under
// package fault.
package mapping

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/edsrzf/mmap-go"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// A Map is a shared mapping of the first bytes of one file. Its methods are
// safe for concurrent use, except Close, after which nothing taken from the map
// may be touched.
type Map struct {
	data mmap.MMap
}

// File maps the first length bytes of f, which must be at least that long.
// The file may be closed afterwards.
func File(f *os.File, length int64, writable bool) (*Map, error) {
	if length <= 0 || int64(int(length)) != length {
		return nil, fmt.Errorf("map %s: a length of %d bytes cannot be mapped here", f.Name(), length)
	}
	prot := mmap.RDONLY
	if writable {
		prot = mmap.RDWR
	}
	m := new(Map)
	err := seam.DoFile("mmap", f, func() (err error) {
		m.data, err = mmap.MapRegion(f, int(length), prot, 0, 0)
		return err
	})
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	return m, nil
}

// Bytes returns the mapped bytes. Writing to them is an error (a fault) unless
// the map was made writable.
func (m *Map) Bytes() []byte { return m.data }

// Close removes the mapping.
func (m *Map) Close() error {
	if m.data == nil {
		return nil
	}
	return m.data.Unmap()
}

// Bounds of what one log's producer, or its readers, keep mapped in a process without using it. The
// first is that of a process's memory which counts as resident, though it is the page
// cache's; the second of its descriptors.
const (
	mostIdleBytes = 3 << 29
	mostIdleFiles = 24
)

// FitsIdle reports whether this many files of that size may be kept mapped for the time when
// they come back.
func FitsIdle(files, size int64) bool {
	return files <= mostIdleFiles && files*size <= mostIdleBytes
}

// Populate makes the pages of [from, to) present and writable in this mapping,
// so that later stores do not fault. With singly the system is not to read ahead in
// this mapping, then or later: what it reads ahead it keeps in pieces of several pages,
// and writes each as a whole. It is advice: where the system cannot, it does nothing.
func (m *Map) Populate(from, to int64, singly bool) { populate(m.data, from, to, singly) }

// Uint32 returns the aligned little-endian word at off as an atomic. It panics
// if off is out of range or not a multiple of 4.
func Uint32(b []byte, off int) *atomic.Uint32 {
	_ = b[off+3]
	if off&3 != 0 {
		panic("mapping: misaligned 32-bit word")
	}
	return (*atomic.Uint32)(unsafe.Pointer(&b[off]))
}

// Uint64 is Uint32 for 8-byte words.
func Uint64(b []byte, off int) *atomic.Uint64 {
	_ = b[off+7]
	if off&7 != 0 {
		panic("mapping: misaligned 64-bit word")
	}
	return (*atomic.Uint64)(unsafe.Pointer(&b[off]))
}

// Words returns b[off:off+8*n] as n atomic 64-bit words.
func Words(b []byte, off, n int) []atomic.Uint64 {
	if n == 0 {
		return nil
	}
	_ = b[off : off+8*n]
	return unsafe.Slice(Uint64(b, off), n)
}

// LittleEndian reports whether this machine stores words as the files do.
// Shared words are machine words, so a big-endian machine cannot use a log.
func LittleEndian() bool {
	probe := [4]byte{1, 0, 0, 0}
	return *(*uint32)(unsafe.Pointer(&probe)) == 1
}
