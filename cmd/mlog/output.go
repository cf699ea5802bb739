package main

import (
	"fmt"
	"os"
	"sync/atomic"
)

// flushAt is how much output may gather while there is input: big enough that
// a system call costs nothing per record, small enough for the cache.
const flushAt = 128 << 10

// An output gathers bytes for stdout. Whoever appends to buf decides when to
// flush: when it is full, and whenever the input pauses.
type output struct {
	f       *os.File
	buf     []byte
	writing atomic.Bool // in a write, which may hang: see whenStuck
}

func newOutput(f *os.File) *output {
	return &output{f: f, buf: newBuffer()}
}

func newBuffer() []byte { return make([]byte, 0, flushAt+flushAt/4) }

func (o *output) full() bool { return len(o.buf) >= flushAt }

// flush writes what has gathered. It returns errReaderGone if nobody reads
// stdout any more.
func (o *output) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	o.writing.Store(true)
	_, err := o.f.Write(o.buf)
	o.writing.Store(false)
	if cap(o.buf) > 8*flushAt {
		o.buf = newBuffer() // one huge record must not hold its memory for ever
	}
	o.buf = o.buf[:0]
	switch {
	case err == nil:
		return nil
	case readerGone(err):
		return errReaderGone
	}
	return fmt.Errorf("write to stdout: %w", err)
}
