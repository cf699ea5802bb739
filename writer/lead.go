package writer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// A lead is held by the goroutine of this process that appends, for itself and
// for all that queue meanwhile. So a process takes the shared lock once for many
// goroutines, and they do not fight over it.
//
// Who queues looks at the word once more afterwards, and who gives the lead back
// looks at the queue afterwards. Each stores its own word before it loads the
// other's, so one of them sees the other and nobody is left in the queue.
type lead struct {
	word   atomic.Uint32 // 1: held
	queued atomic.Int32  // how many wait, the closer among them

	mu     sync.Mutex // guards the rest
	queue  []*request
	taken  []*request // the holder's, out of the queue; its memory is used again
	closer chan struct{}
	closed bool
}

// leadSpins is how often a goroutine that finds the lead taken looks again before
// it queues: about as long as an append takes. Parking and being woken takes longer.
const leadSpins = 30

// isHeld reports whether somebody leads.
func (l *lead) isHeld() bool { return l.word.Load() != 0 }

func (l *lead) try() bool { return l.word.Load() == 0 && l.word.CompareAndSwap(0, 1) }

// spin takes the lead if it becomes free soon.
func (l *lead) spin() bool {
	for range leadSpins {
		if l.try() {
			return true
		}
	}
	return false
}

// give gives the lead back, or to one who waits.
func (l *lead) give() {
	l.word.Store(0)
	if l.queued.Load() != 0 {
		l.offer()
	}
}

// offer takes the lead, which is free, back for one who waits.
func (l *lead) offer() {
	for l.queued.Load() != 0 && l.try() {
		if l.pass() {
			return
		}
		l.word.Store(0)
	}
}

// pass hands the lead, which the caller has, to the first of the queue, or, if
// nobody else is left, to who closes.
func (l *lead) pass() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) > 0 {
		r := l.queue[0]
		l.queue = slices.Delete(l.queue, 0, 1)
		l.queued.Add(-1)
		r.leads = true
		r.done <- struct{}{}
		return true
	}
	if l.closer != nil {
		close(l.closer)
		l.closer = nil
		l.queued.Add(-1)
		return true
	}
	return false
}

// join waits in the queue until r is over or has the lead, which it reports. An
// error is that of ctx, or ErrClosed; then r was not and will not be appended.
func (l *lead) join(ctx context.Context, r *request) (leads bool, err error) {
	if !l.enqueue(r) {
		return false, ErrClosed
	}
	if l.try() {
		if l.dequeue(r) {
			return true, nil
		}
		l.give() // somebody led meanwhile, and r is over or about to lead
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if l.dequeue(r) {
			return false, fmt.Errorf("append: %w", ctx.Err())
		}
		<-r.done // somebody is writing it already, or gave us the lead
	}
	return r.leads, nil
}

// enqueue leaves r for whoever leads next, unless the writer is closed.
func (l *lead) enqueue(r *request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.queue = append(l.queue, r)
	l.queued.Add(1)
	return true
}

func (l *lead) dequeue(r *request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.queue, r)
	if i < 0 {
		return false
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	l.queued.Add(-1)
	return true
}

// crowded reports whether take has something to return, or somebody waits to close.
func (l *lead) crowded() bool { return l.queued.Load() != 0 }

// take returns the requests to write along with the holder's own, and leaves what
// is over the limit queued: one of those leads next. What it returns is valid
// until the lead is given back.
func (l *lead) take() []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, bytes := 0, int64(0)
	for n < len(l.queue) && n < maxCombined && bytes < maxCombinedBytes {
		bytes += l.queue[n].body.FrameLength()
		n++
	}
	l.taken = append(l.taken[:0], l.queue[:n]...)
	l.queue = slices.Delete(l.queue, 0, n)
	l.queued.Add(int32(-n))
	return l.taken
}

// close takes the lead for good: no append begins after this. Who queues still is
// turned away.
func (l *lead) close() {
	l.mu.Lock()
	l.closed = true
	for _, r := range l.queue {
		r.err = ErrClosed
		r.done <- struct{}{}
	}
	l.queued.Add(int32(1 - len(l.queue)))
	l.queue = nil
	closer := make(chan struct{})
	l.closer = closer
	l.mu.Unlock()
	if l.try() && l.pass() {
		return
	}
	<-closer
}
