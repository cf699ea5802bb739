package shm

import "unsafe"

// Release stores an aligned word so that who loads it atomically sees all that was stored
// before. This processor makes stores visible in their order, so a plain one does, where an
// atomic one would be an exchange.
func Release(b []byte, off int, value uint64) {
	_ = b[off : off+8]
	*(*uint64)(unsafe.Pointer(&b[off])) = value
}
