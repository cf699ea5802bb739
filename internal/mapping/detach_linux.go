package mapping

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CanDetach reports whether Detach works on this system.
const CanDetach = true

// Detach puts zeros of this process's own in the place of the file, in one step: each
// access that other goroutines make meanwhile is to the file or to the zeros, and when
// Detach has returned none can reach the file any more. The memory stays valid until
// Close. If it fails, nothing is known of what is mapped there.
func (m *Map) Detach() error {
	at := unsafe.Pointer(unsafe.SliceData(m.data))
	_, err := unix.MmapPtr(-1, 0, at, uintptr(len(m.data)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED)
	if err != nil {
		return fmt.Errorf("detach a mapping from its file: %w", err)
	}
	return nil
}
