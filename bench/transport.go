package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/shm"

	mlog "github.com/seed27ccf144/mlog/log"
)

// What latency is measured over.
const (
	viaLog   = "log"   // an append and a read
	viaLines = "lines" // one cache line written by one side and polled by the other
	viaFutex = "futex" // the same, with the other side asleep in a futex call
	viaPipe  = "pipe"  // 64 bytes written to and read from a pipe

	viaBareLog       = "bare"        // see bare.go
	viaSleepyBareLog = "bare-sleepy" // the same, with the reader asleep in a futex call
)

// messageBytes is a cache line: the least that crosses from core to core.
const messageBytes = 64

// An endpoint is one side of a transport. send hands over a record that carries the
// time when it was due; receive waits for the next one and returns that time.
type endpoint struct {
	send    func(due int64) error
	receive func() (due int64, err error)
}

// attachJob opens an endpoint, so that a receiver misses nothing that is sent after.
func (w *worker) attachJob(t task) (reply, error) {
	open := map[string]func(task) (*endpoint, error){
		viaLog: w.logEndpoint, viaPipe: pipeEndpoint,
		viaLines: func(t task) (*endpoint, error) { return linesEndpoint(t, false) },
		viaFutex: func(t task) (*endpoint, error) { return linesEndpoint(t, true) },

		viaBareLog:       func(t task) (*endpoint, error) { return bareEndpoint(t, false) },
		viaSleepyBareLog: func(t task) (*endpoint, error) { return bareEndpoint(t, true) },
	}[t.Kind]
	if open == nil {
		return reply{}, fmt.Errorf("unknown transport %q", t.Kind)
	}
	e, err := open(t)
	w.ends[t.Kind] = e
	return reply{}, err
}

func (w *worker) logEndpoint(t task) (*endpoint, error) {
	l, err := w.open(t)
	if err != nil {
		return nil, err
	}
	r, err := l.log.Reader(mlog.ReaderOptions{From: mlog.End(), Spin: t.Spin})
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	message := make([]byte, messageBytes)
	return &endpoint{
		send: func(due int64) error {
			binary.LittleEndian.PutUint64(message, uint64(due))
			_, err := l.visible.Append(ctx, mlog.Record{Value: message})
			return err
		},
		receive: func() (int64, error) {
			rec, err := r.Next(ctx)
			if err != nil {
				return 0, err
			}
			if len(rec.Value) != messageBytes {
				return 0, fmt.Errorf("a record of %d bytes", len(rec.Value))
			}
			return int64(binary.LittleEndian.Uint64(rec.Value)), nil
		},
	}, nil
}

// Lines are used one after the other, so that a receiver which was away for a while
// finds all that came meanwhile. They are more than one measurement sends.
const (
	lines      = 1 << 16
	linesBytes = (lines + 2) * messageBytes // the word to sleep on and the sleeper's flag have lines of their own
)

// linesEndpoint is the limit loop of latency. A record cannot cross between cores
// for less than one cache line changing hands: one store by the sender that the
// receiver's load sees. If the receiver sleeps, the sender must further change the
// word it sleeps on and make one futex call, and the receiver must make one: there
// is no cheaper way to sleep on shared memory.
func linesEndpoint(t task, sleeps bool) (*endpoint, error) {
	b, err := shm.Create(t.Dir, linesBytes)
	if err != nil {
		return nil, err
	}
	for at := 0; at < len(b); at += 4096 {
		shm.Uint64(b, at).Add(0) // present, and writable
	}
	word, flag := shm.Uint32(b, lines*messageBytes), shm.Uint32(b, (lines+1)*messageBytes)
	sent, received := uint64(0), uint64(0)
	return &endpoint{
		send: func(due int64) error {
			line := b[sent%lines*messageBytes:]
			shm.Uint64(line, 8).Store(uint64(due))
			sent++
			shm.Uint64(line, 0).Store(sent)
			if sleeps {
				wakeIfAsleep(word, flag)
			}
			return nil
		},
		receive: func() (int64, error) {
			line := b[received%lines*messageBytes:]
			received++
			if sleeps {
				sleepUntil(shm.Uint64(line, 0), received, word, flag)
			}
			for shm.Uint64(line, 0).Load() != received {
			}
			return int64(shm.Uint64(line, 8).Load()), nil
		},
	}, nil
}

func wakeIfAsleep(word, flag *atomic.Uint32) {
	word.Add(1)
	if flag.Load() != 0 {
		flag.Store(0)
		shm.Wake(word)
	}
}

func sleepUntil(ready *atomic.Uint64, value uint64, word, flag *atomic.Uint32) {
	for ready.Load() != value {
		seen := word.Load()
		flag.Store(1)
		if ready.Load() == value {
			return
		}
		shm.Wait(word, seen)
	}
}

// pipeEndpoint is what a program would do without mlog. The descriptor blocks, and
// as in the futex exchange Go's scheduler does not know of it: a program in C
// could do no better.
func pipeEndpoint(t task) (*endpoint, error) {
	if err := proc.Pipe(t.Dir); err != nil && !os.IsExist(err) {
		return nil, err
	}
	fd, err := unix.Open(t.Dir, unix.O_RDWR, 0) // either way, since that never waits for the other side
	if err != nil {
		return nil, err
	}
	message, got := make([]byte, messageBytes), make([]byte, messageBytes)
	return &endpoint{
		send: func(due int64) error {
			binary.LittleEndian.PutUint64(message, uint64(due))
			return whole(raw(unix.SYS_WRITE, fd, message))
		},
		receive: func() (int64, error) {
			if err := whole(raw(unix.SYS_READ, fd, got)); err != nil {
				return 0, err
			}
			return int64(binary.LittleEndian.Uint64(got)), nil
		},
	}, nil
}

func raw(call uintptr, fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func whole(n int, err error) error {
	if err == nil && n != messageBytes {
		return fmt.Errorf("%d bytes through the pipe, want %d", n, messageBytes)
	}
	return err
}
