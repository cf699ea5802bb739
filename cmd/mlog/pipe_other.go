//go:build !unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
)

// What Windows answers to a write to a pipe that nobody reads.
const (
	errorBrokenPipe = syscall.Errno(109)
	errorNoData     = syscall.Errno(232)
)

func readerGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, errorBrokenPipe) || errors.Is(err, errorNoData)
}

// watchReader does nothing on this system: a reader that went away is noticed
// at the next write.
func watchReader(*os.File, func()) {}

// cancellable returns a reader of f whose Read returns ctx's error once ctx
// has ended. This system has no way to wait for two things at once, so a
// goroutine reads ahead, and up to one buffer may be read and not handed on.
func cancellable(ctx context.Context, f *os.File) (r io.Reader, release func(), err error) {
	chunks := make(chan chunk)
	go func() {
		for {
			buf := make([]byte, 64<<10)
			n, err := f.Read(buf)
			select {
			case chunks <- chunk{buf[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return &chunkReader{ctx: ctx, chunks: chunks}, func() {}, nil
}

type chunk struct {
	data []byte
	err  error
}

type chunkReader struct {
	ctx    context.Context
	chunks <-chan chunk
	rest   chunk
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.rest.data) == 0 && r.rest.err == nil {
		select {
		case r.rest = <-r.chunks:
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	n := copy(p, r.rest.data)
	r.rest.data = r.rest.data[n:]
	if len(r.rest.data) == 0 && r.rest.err != nil {
		return n, r.rest.err
	}
	return n, nil
}
