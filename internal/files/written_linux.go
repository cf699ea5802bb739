package files

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// WrittenUntil returns the position behind the last byte of f, at or behind from,
// that anybody ever wrote; what follows are zeros that were never looked at, which
// spares the caller the look. Where the system cannot tell, it is size, f's length.
// It moves f's offset.
func WrittenUntil(f *os.File, from, size int64) int64 {
	until := from
	err := seam.DoFile("lseek", f, func() error {
		for at := from; at < size; at = until {
			data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
			if err == unix.ENXIO { // a hole up to the end
				return nil
			}
			if err != nil {
				return err
			}
			if until, err = unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return size
	}
	return min(until, size)
}
