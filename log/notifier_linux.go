package log

import (
	"context"
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// A Notifier mirrors a log's wake-ups in an eventfd(2), for programs that wait in
// an event loop (poll, epoll, io_uring), or on the file with the Go runtime's
// poller. It exists on Linux only.
//
// The descriptor becomes readable when there may be something new in the log, and
// once at the beginning. Then read the eventfd, read all records there are
// (TryNext), and wait again.
type Notifier struct {
	file   *os.File
	cancel context.CancelFunc
	done   chan error
}

// Notifier makes a Notifier of the log. It costs a goroutine, and a thread while
// no reader of this Log sleeps. It must be closed.
func (l *Log) Notifier() (*Notifier, error) {
	fd := -1
	err := seam.Do("eventfd", "", func() (err error) {
		fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		return err
	})
	if err != nil {
		_ = unix.Close(fd) // open only if a test made a call fail that had succeeded
		return nil, os.NewSyscallError("eventfd", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Notifier{file: os.NewFile(uintptr(fd), "eventfd"), cancel: cancel, done: make(chan error, 1)}
	one := binary.NativeEndian.AppendUint64(nil, 1)
	go func() {
		// A full counter, the only way in which the write can fail, is readable
		// anyway.
		n.done <- l.src.Mirror(ctx, func() { _, _ = n.file.Write(one) })
	}()
	return n, nil
}

// File returns the eventfd. It is non-blocking and belongs to the Notifier.
func (n *Notifier) File() *os.File { return n.file }

// Close ends the notifications and closes the eventfd. The error, if any, is what
// ended them before.
func (n *Notifier) Close() error {
	n.cancel()
	err := <-n.done
	n.done <- nil // for a second Close
	if cerr := n.file.Close(); err == nil {
		err = cerr
	}
	return public(err)
}
