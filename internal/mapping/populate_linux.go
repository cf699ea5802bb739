package mapping

import "golang.org/x/sys/unix"

// populate uses MADV_POPULATE_WRITE (Linux 5.14): unlike touching the pages it
// reports a cut file as an error and not as a signal. Older kernels answer
// EINVAL, and the pages are then faulted in one by one as they are written.
func populate(data []byte, from, to int64, singly bool) {
	const page = 4096
	from &^= page - 1
	to = min(to, int64(len(data)))
	if from < 0 || from >= to {
		return
	}
	if singly {
		_ = unix.Madvise(data, unix.MADV_RANDOM)
	}
	_ = unix.Madvise(data[from:to], unix.MADV_POPULATE_WRITE)
}
