//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func readerGone(err error) bool { return errors.Is(err, syscall.EPIPE) }

// watchReader calls gone when the last reader of f, a pipe or a socket, goes
// away. A goroutine sleeps in poll(2) until then: no event is asked for, but
// hang-up and error are always reported. For a file there is nothing to watch.
func watchReader(f *os.File, gone func()) {
	fi, err := f.Stat()
	if err != nil || fi.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return
	}
	fd, ok := descriptor(f)
	if !ok {
		return
	}
	go func() {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		for {
			_, err := unix.Poll(fds, -1)
			if err != nil && err != unix.EINTR {
				return
			}
			if fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
				gone()
				return
			}
			if fds[0].Revents != 0 {
				return // POLLNVAL: this system cannot poll such a file
			}
		}
	}()
}

// cancellable returns a reader of f whose Read returns ctx's error once ctx
// has ended. It never takes bytes from f that it does not hand on, so what a
// stopped command has not read is there for the next one. release frees it.
func cancellable(ctx context.Context, f *os.File) (r io.Reader, release func(), err error) {
	fd, ok := descriptor(f)
	if !ok {
		return nil, nil, errors.New("not a file one can wait for")
	}
	wakeRead, wakeWrite, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	wakeFD, _ := descriptor(wakeRead)
	// Closing the pipe's write end is a hang-up, which poll always reports.
	stop := context.AfterFunc(ctx, func() { wakeWrite.Close() })
	release = func() {
		if stop() {
			wakeWrite.Close()
		}
		wakeRead.Close()
	}
	return &polledReader{ctx: ctx, f: f, fds: []unix.PollFd{
		{Fd: int32(fd), Events: unix.POLLIN},
		{Fd: int32(wakeFD), Events: unix.POLLIN},
	}}, release, nil
}

type polledReader struct {
	ctx context.Context
	f   *os.File
	fds []unix.PollFd
}

func (r *polledReader) Read(p []byte) (int, error) {
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		// Where a file cannot be polled the error is ignored, and Read blocks.
		_, err := unix.Poll(r.fds, -1)
		if err == unix.EINTR || r.fds[1].Revents != 0 && r.ctx.Err() != nil {
			continue
		}
		return r.f.Read(p)
	}
}
