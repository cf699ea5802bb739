//go:build !amd64 || race

package mapping

import "sync/atomic"

// Release32 stores an aligned word so that who loads it atomically sees all that
// was stored before it. What the caller loads afterwards may be older.
func Release32(b []byte, off int, value uint32) { Uint32(b, off).Store(value) }

// Release64 is Release32 for 8-byte words.
func Release64(b []byte, off int, value uint64) { Uint64(b, off).Store(value) }

// ReleaseUint32 is Release32 for a word that the caller has.
func ReleaseUint32(w *atomic.Uint32, value uint32) { w.Store(value) }

// ReleaseInt64 is Release64 for a word of this process.
func ReleaseInt64(w *atomic.Int64, value int64) { w.Store(value) }
