//go:build !race

package mapping

import (
	"sync/atomic"
	"unsafe"
)

// Release32 stores an aligned word so that who loads it atomically sees all that
// was stored before it. Unlike an atomic store it does not wait until that has
// happened: what the caller loads afterwards may be older.
//
// This processor makes its stores visible in their order, so a plain one does.
// An atomic one would be an exchange, which waits until all stores before it,
// the batch among them, have left the core.
func Release32(b []byte, off int, value uint32) {
	_ = b[off+3]
	*(*uint32)(unsafe.Pointer(&b[off])) = value
}

// Release64 is Release32 for 8-byte words.
func Release64(b []byte, off int, value uint64) {
	_ = b[off+7]
	*(*uint64)(unsafe.Pointer(&b[off])) = value
}

// ReleaseUint32 is Release32 for a word that the caller has.
func ReleaseUint32(w *atomic.Uint32, value uint32) { *(*uint32)(unsafe.Pointer(w)) = value }

// ReleaseInt64 is Release64 for a word of this process.
func ReleaseInt64(w *atomic.Int64, value int64) { *(*int64)(unsafe.Pointer(w)) = value }
