package writer

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/futex"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// One append: encode and hash outside of every lock; take the lead among the
// goroutines of this process; take the log's lock among the processes; write,
// for oneself and for all goroutines that queue; release; wake.
//
// Goroutines that find the lead taken queue their encoded batch and wait. So a
// process takes the shared lock once for many of them, and they do not fight
// over it.

const (
	wakeOne = 1
	wakeAll = futex.All
)

// A request is one batch on its way into the log. The lead guards its results.
type request struct {
	body segment.Body
	at   segment.Cursor // where it went
	base int64          // the offset it got
	end  int64          // and the one after its last record
	time int64
	err  error
	over bool          // it has its results
	done chan struct{} // told once, when somebody else made it over
}

// maxCombined bounds how many batches and bytes one holder of the lock writes
// for others before it lets another process have it.
const (
	maxCombined      = 512
	maxCombinedBytes = 1 << 20
)

// Append appends the records as one batch. It returns the offset of the first;
// the others follow it without a gap. When it returns, the batch is visible to
// every reader. If it returns an error, nothing was appended.
//
// Ending ctx gives up the wait for another process that holds the lock; a batch
// that is being written is written.
func (w *Writer) Append(ctx context.Context, records []segment.Record) (base int64, err error) {
	r := w.requests.Get().(*request)
	defer w.recycle(r)
	if err := r.body.Encode(records, w.MaxFrame()); err != nil {
		return 0, err
	}
	w.submit(ctx, r)
	return r.base, r.err
}

func (w *Writer) recycle(r *request) {
	r.body.Reset()
	r.base, r.end, r.err, r.over = 0, 0, nil, false
	w.requests.Put(r)
}

func (w *Writer) submit(ctx context.Context, r *request) {
	select {
	case w.lead <- struct{}{}:
		w.run(ctx, r)
		<-w.lead
		return
	default:
	}
	if !w.enqueue(r) {
		r.err = ErrClosed
		return
	}
	select {
	case <-r.done:
	case w.lead <- struct{}{}:
		if r.over { // whoever led before us did it, and its word is on the way
			<-r.done
		} else {
			w.dequeue(r)
			w.run(ctx, r)
		}
		<-w.lead
	case <-ctx.Done():
		w.abandon(ctx, r)
	}
}

// enqueue leaves r for whoever leads next, unless the writer is closed.
func (w *Writer) enqueue(r *request) bool {
	w.queueMu.Lock()
	defer w.queueMu.Unlock()
	if w.closed.Load() {
		return false
	}
	w.queue = append(w.queue, r)
	return true
}

// abandon takes r back, unless somebody is writing it already.
func (w *Writer) abandon(ctx context.Context, r *request) {
	if w.dequeue(r) {
		r.err = fmt.Errorf("append: %w", ctx.Err())
		return
	}
	<-r.done
}

func (w *Writer) dequeue(r *request) bool {
	w.queueMu.Lock()
	defer w.queueMu.Unlock()
	i := slices.Index(w.queue, r)
	if i < 0 {
		return false
	}
	w.queue = slices.Delete(w.queue, i, i+1)
	return true
}

// run appends r and what is queued. The caller has the lead.
func (w *Writer) run(ctx context.Context, r *request) {
	if w.closed.Load() {
		r.err = ErrClosed
		return
	}
	repair, err := w.acquire(ctx)
	if err != nil {
		r.err = err
		return
	}
	others := w.takeQueue()
	if err := w.locked(func() error { return w.placeAll(repair, r, others) }); err != nil {
		fail(r, err)
		for _, o := range others {
			fail(o, err)
		}
	}
	w.at(stageReleased)
	w.afterRelease(r, others)
	for _, o := range others {
		o.over = true
		o.done <- struct{}{}
	}
}

// fail gives a request the error that ended its round, unless it was committed
// before.
func fail(r *request, err error) {
	if !r.over && r.err == nil {
		r.err = err
	}
}

// takeQueue returns the requests to write along with one's own, and leaves what
// is over the limit queued: one of those waiters leads next.
func (w *Writer) takeQueue() []*request {
	w.queueMu.Lock()
	defer w.queueMu.Unlock()
	n, bytes := 0, int64(0)
	for n < len(w.queue) && n < maxCombined && bytes < maxCombinedBytes {
		bytes += w.queue[n].body.FrameLength()
		n++
	}
	if n == 0 {
		return nil
	}
	taken := slices.Clone(w.queue[:n])
	w.queue = slices.Delete(w.queue, 0, n)
	return taken
}

func (w *Writer) acquire(ctx context.Context) (repair bool, err error) {
	defer fault.Recover(fault.Guard(), &err)
	return w.ctl.Lock.Acquire(w.slot.Number, w.judge, func() error {
		if w.closed.Load() {
			return ErrClosed
		}
		return ctx.Err()
	})
}

// locked runs f, which may touch shared memory, and releases the lock, which the
// caller holds. After a memory fault or an error in repair the next holder is
// told to repair.
func (w *Writer) locked(f func() error) error {
	err := fault.Run(f)
	release := w.ctl.Lock.Release
	if err != nil {
		release = w.ctl.Lock.ReleaseUnclean
	}
	// If this faults, the control file itself was cut, and with it the log's
	// lock is gone for everybody: every append will say so.
	_ = fault.Run(func() error {
		release(wakeOne)
		return nil
	})
	return err
}

// placeAll writes r and others. An error means that the segment could not be
// used; what concerns one batch only is that request's error.
func (w *Writer) placeAll(repair bool, r *request, others []*request) error {
	if err := w.enter(repair); err != nil {
		return err
	}
	now := w.now().UnixNano()
	w.place(r, now)
	for _, o := range others {
		w.place(o, now)
	}
	return nil
}

// enter makes w.cur the active segment. The caller has just got the lock.
func (w *Writer) enter(repair bool) error {
	w.at(stageLocked)
	if err := w.ctl.CheckPoison(); err != nil {
		return err
	}
	if repair {
		if err := w.repair(); err != nil {
			return err
		}
	}
	if active := int64(w.ctl.Active.Load()); w.cur == nil || w.cur.Base != active {
		h, err := openHandle(w.dir, w.meta.LogID, active)
		if missing(err) {
			return &segment.DamageError{Segment: layout.SegmentName(active), First: active, Last: active - 1, Reason: "the segment file is missing"}
		}
		if err != nil {
			return err
		}
		if err := w.confirmTail(h); err != nil {
			h.release()
			return err
		}
		w.setCurrent(h)
	}
	return nil
}

// setCurrent hands the former segment to the keeper, which unmaps it outside of
// the lock.
func (w *Writer) setCurrent(h *handle) {
	if w.cur != nil {
		w.keeper.retire(w.cur)
	}
	w.cur = h
	w.keeper.adopt(h)
	w.syncer.offer(h)
}

// place appends one batch at the end of the active segment. The order of the
// stores is the protocol: next commit word zero, batch, last time, commit word,
// tail.
func (w *Writer) place(r *request, now int64) {
	c := w.cur.Tail()
	if w.cur.Committed(c.Position) {
		// The tail is behind the truth although its last writer lived: somebody
		// meddled with the file, or put an older copy in its place.
		if r.err = w.repair(); r.err != nil {
			return
		}
		c = w.cur.Tail()
	}
	if !w.cur.Fits(c.Position, r.body.FrameLength()) {
		if r.err = w.roll(c); r.err != nil {
			return
		}
		c = w.cur.Tail()
	}
	r.time = max(now, w.cur.LastTime())
	next := w.cur.Stage(c, &r.body, r.time)
	w.cur.SetLastTime(r.time)
	w.at(stageStaged)
	w.cur.Commit(c.Position, &r.body)
	r.at, r.base, r.end, r.over = c, w.cur.end(c), w.cur.end(next), true
	w.at(stageCommitted)
	w.cur.SetTail(next)
}

// afterRelease does what the lock is not needed for: waking the consumers, the
// index, and telling the keeper that there is something to flush. Nothing here
// can undo the append, so its faults are not the caller's.
func (w *Writer) afterRelease(r *request, others []*request) {
	w.wake.Signal()
	err := fault.Run(func() error {
		w.note(r)
		for _, o := range others {
			w.note(o)
		}
		return nil
	})
	if err != nil {
		w.opts.Logger.Warn("the index of the log's active segment cannot be written", "log", string(w.dir), "error", err)
	}
}

func (w *Writer) note(r *request) {
	if r.err != nil {
		return
	}
	if r.base >= w.cur.Base { // not if it went into a segment before a roll
		w.cur.note(r.at, r.time)
	}
	w.keeper.appended(w.cur, r)
}
