package wake

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
)

// A Room is where the goroutines of one process wait for one log. However many
// they are, one thread sleeps in the kernel: the first that comes does so
// itself, the others wait for it on a channel. A lone reader so pays no
// hand-over.
type Room struct {
	file *File

	// asleep counts those of this process who sleep on the file, or are about to:
	// counted up before their last look.
	asleep atomic.Int32

	mu       sync.Mutex
	sleeping bool          // somebody is, or is about to be, asleep
	woken    chan struct{} // closed when the sleeper is back; nil while nobody follows
}

// NewRoom makes a room for the consumers of f's log.
func NewRoom(f *File) *Room {
	return &Room{file: f}
}

// Wait returns when there may be something new: ready said so, a producer woke
// us, ctx ended, or a bound passed. The caller looks again whatever happened.
//
// Ready is called after the flag is up; it must look at what the caller waits
// for, and must not block.
//
// Why nothing is lost: the sleeper loads the sequence before anybody can see
// that there is a sleeper. So whoever follows raises the flag, and looks, after
// that load; a producer that commits later sees the flag up, or else another
// producer has lowered it since and counts the sequence up after the sleeper's
// load. Either way the sleeper wakes, and with it all who follow.
func (r *Room) Wait(ctx context.Context, ready func() bool) error {
	err := fault.Run(func() error { return r.wait(ctx, ready) })
	if isCut(err) {
		r.file.Restore()
		time.Sleep(time.Millisecond) // in case somebody cuts it again and again
		return nil
	}
	return err
}

func isCut(err error) bool {
	if err == nil {
		return false // before there is a variable to allocate
	}
	var cut *fault.Error
	return errors.As(err, &cut)
}

func (r *Room) wait(ctx context.Context, ready func() bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	seen := r.file.sequence.Load() // before the mutex: a fault must not leave it locked
	r.mu.Lock()
	if !r.sleeping {
		r.sleeping = true
		r.asleep.Add(1) // before anybody can rely on this sleeper
		r.mu.Unlock()
		return r.sleep(ctx, seen, ready)
	}
	if r.woken == nil {
		r.woken = make(chan struct{})
	}
	woken := r.woken
	r.mu.Unlock()

	r.file.raise()
	if ready() {
		return nil
	}
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Room) sleep(ctx context.Context, seen uint32, ready func() bool) error {
	defer r.comeBack()
	defer r.asleep.Add(-1)
	r.file.raise()
	if ready() {
		return nil
	}
	bound := Backstop
	if deadline, ok := ctx.Deadline(); ok {
		bound = min(bound, time.Until(deadline))
	}
	defer r.interruptAtEndOf(ctx)()
	if bound > 0 {
		r.file.sleep(seen, bound)
	}
	return ctx.Err()
}

func (r *Room) comeBack() {
	r.mu.Lock()
	r.sleeping = false
	if r.woken != nil {
		close(r.woken)
		r.woken = nil
	}
	r.mu.Unlock()
}

// WakeAll has everybody look again.
func (r *Room) WakeAll() {
	if r.asleep.Load() > 0 {
		r.file.kick()
	}
}

// interruptAtEndOf has the sleep end when ctx does. The caller calls stop after
// the sleep; when that returns, the interruption is over or will never come: the
// file may be unmapped.
func (r *Room) interruptAtEndOf(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	over := make(chan struct{})
	prevent := context.AfterFunc(ctx, func() {
		defer close(over)
		_ = fault.Run(func() error {
			r.file.kick()
			return nil
		})
	})
	return func() {
		if !prevent() {
			<-over
		}
	}
}
