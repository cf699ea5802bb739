package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// bufferBytes is how much the buffered variants of byte streams gather before they write.
const bufferBytes = 64 << 10

// produceStream sends records over byte streams, one for each consumer: every record with a system call of its own,
// or, if buffered, as many as fit into bufferBytes.
func produceStream(p *harness.Producer, fds []int, buffered bool) error {
	n := 1
	if buffered {
		n = max(1, bufferBytes/p.Size)
	}
	buf := make([]byte, n*p.Size)
	for {
		filled := 0
		for filled < len(buf) && p.Fill(buf[filled:filled+p.Size]) {
			filled += p.Size
		}
		if filled == 0 {
			return nil
		}
		for _, fd := range fds {
			if err := writeAll(fd, buf[:filled]); err != nil {
				return err
			}
		}
	}
}

// writeAll writes all of buf to a blocking descriptor.
func writeAll(fd int, buf []byte) error {
	for len(buf) > 0 {
		n, err := unix.Write(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		buf = buf[n:]
	}
	return nil
}
