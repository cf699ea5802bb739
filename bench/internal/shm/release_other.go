//go:build !amd64

package shm

// Release stores an aligned word so that who loads it atomically sees all that was stored
// before.
func Release(b []byte, off int, value uint64) { Uint64(b, off).Store(value) }
