package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errReaderGone ends a command whose stdout nobody reads any more. It is a
// normal end: exit code 0.
var errReaderGone = errors.New("the reader of stdout went away")

// What a command that was told to stop may still take for what it has in hand,
// when others do not let it finish.
const (
	writeGrace  = 2 * time.Second // a write to a stdout that is full and not read
	appendGrace = 5 * time.Second // an append, while a stopped process holds the log's lock
)

// untilSignal returns a context that the first SIGINT, SIGTERM or SIGHUP ends.
// A second one finds the system's own handling again and kills a command that
// is stuck.
func untilSignal() (context.Context, context.CancelFunc) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	// nohup ignores SIGHUP on purpose, and Notify would undo that.
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// untilReaderGone returns a context that ends also when nobody reads f any more;
// then its cause is errReaderGone.
func untilReaderGone(parent context.Context, f *os.File) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	watchReader(f, func() { cancel(errReaderGone) })
	return ctx
}

// whenStuck calls f if out still hangs in a write writeGrace after ctx ended.
func whenStuck(ctx context.Context, out *output, f func()) {
	var look func()
	look = func() {
		if out.writing.Load() {
			f()
		}
		time.AfterFunc(writeGrace, look)
	}
	context.AfterFunc(ctx, func() { time.AfterFunc(writeGrace, look) })
}

// withGrace returns a context that ends some time after parent: for work that a
// signal must let finish, but must not wait for without end.
func withGrace(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	context.AfterFunc(parent, func() { time.AfterFunc(grace, cancel) })
	return ctx, cancel
}
