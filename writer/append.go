package writer

import (
	"context"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/futex"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
	"github.com/seed27ccf144/mlog/segment"
)

// One append: encode and hash outside of every lock that processes share; take
// the lead among the goroutines of this process; take the log's lock among the
// processes; write, for oneself and for all goroutines that queue; release; wake.
//
// Goroutines that find the lead taken queue their encoded batch and wait (lead.go).

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
	over bool // it is committed

	done  chan struct{} // told once to a request that queued: it is over, or failed, or
	leads bool          // has the lead
}

func newRequest() any { return &request{done: make(chan struct{}, 1)} }

func (r *request) reset() {
	r.body.Reset()
	r.base, r.end, r.over, r.leads = 0, 0, false, false
	if r.err != nil { // a store of a pointer costs more
		r.err = nil
	}
}

// maxCombined bounds how many batches and bytes one holder of the lock writes
// for others before it lets another process have it. maxLedBytes is what a
// goroutine that has the lead still encodes: others who come meanwhile queue.
const (
	maxCombined      = 512
	maxCombinedBytes = 1 << 20
	maxLedBytes      = 4 << 10
)

// Append appends the records as one batch. It returns the offset of the first;
// the others follow it without a gap. When it returns, the batch is visible to
// every reader. If it returns an error, nothing was appended.
//
// Ending ctx gives up the wait for another process that holds the lock; a batch
// that is being written is written.
func (w *Writer) Append(ctx context.Context, records []segment.Record) (base int64, err error) {
	r := w.requests.Get().(*request)
	if r.err = r.body.Encode(records, w.MaxFrame()); r.err == nil {
		w.submit(ctx, r)
	}
	base, err = r.base, r.err
	r.reset()
	w.requests.Put(r)
	return base, err
}

// AppendOne is Append for one record.
//
// If it is small and the lead is free, it is encoded by the goroutine that has the
// lead already, in a request that need not be fetched: most of what an append of
// one producer would cost more.
func (w *Writer) AppendOne(ctx context.Context, record *segment.Record) (offset int64, err error) {
	if len(record.Value) > maxLedBytes || !record.Plain() {
		return w.appendEncoded(ctx, record)
	}
	if direct && w.undisturbed.Load() && w.company.Load() == 0 && !w.lead.isHeld() {
		offset, at, err := w.lone(record.Value)
		if at == noting {
			return offset, nil
		}
		if err != nil {
			return w.loneFailed(offset, at, err)
		}
	}
	if !w.lead.try() {
		w.meet()
		return w.appendEncoded(ctx, record)
	}
	w.part()
	r := &w.own
	w.run(ctx, r, record)
	offset, err = r.base, r.err
	r.reset()
	w.lead.give()
	return offset, err
}

// appendEncoded is AppendOne by Append. It is not part of it because its room on the
// stack would cost every append.
//
//go:noinline
func (w *Writer) appendEncoded(ctx context.Context, record *segment.Record) (offset int64, err error) {
	one := [1]segment.Record{*record}
	return w.Append(ctx, one[:])
}

// submit appends r, which is encoded, as the goroutine that leads or by it.
func (w *Writer) submit(ctx context.Context, r *request) {
	leads := w.lead.spin()
	if !leads {
		var err error
		if leads, err = w.lead.join(ctx, r); err != nil {
			r.err = err
		}
	}
	if leads {
		w.run(ctx, r, nil)
		w.lead.give()
	}
}

// A phase of a round says what is left to do when it ends early.
type phase int

const (
	waiting  phase = iota // the lock is not held
	holding               // it is
	released              // what was appended is visible; nobody was woken
	noting                // they were
)

// run appends r, of plain if it is not encoded yet, and what is queued. The caller
// has the lead.
func (w *Writer) run(ctx context.Context, r *request, plain *segment.Record) {
	if w.closed.Load() {
		r.err = ErrClosed
		return
	}
	if w.others != nil {
		w.others = nil
	}
	if err := w.round(ctx, r, plain); err != nil {
		w.failed(err, r)
	}
	for _, o := range w.others {
		o.done <- struct{}{}
	}
}

// round is run's work on shared memory. The lock is held while w.phase is holding.
func (w *Writer) round(ctx context.Context, r *request, plain *segment.Record) (err error) {
	defer fault.Recover(fault.Guard(), &err)
	w.phase = waiting
	if plain != nil {
		if err := r.body.EncodePlain(plain.Value, w.undisturbed.Load(), w.MaxFrame()); err != nil {
			return err
		}
	}
	repair := false
	if !w.ctl.Lock.TryFree(w.slot.Number) {
		if repair, err = w.acquire(ctx); err != nil {
			return err
		}
	}
	w.phase = holding
	if w.lead.crowded() {
		w.others = w.lead.take()
	}
	if err := w.placeAll(repair, r, w.others); err != nil {
		return err
	}
	w.phase = released
	left := w.cur.left
	w.ctl.Lock.Release(wakeOne)
	w.at(stageReleased)
	if w.wake.Raised() {
		w.wake.Signal()
	}
	w.phase = noting
	if left.Position >= w.cur.due.Load() || w.keeper.clean() {
		w.noteAll(r, w.others, left)
	}
	return nil
}

// failed ends a round that met an error or a memory fault. Who holds the lock then
// gives it back unclean, and the next holder repairs. What was committed before is
// appended, whatever happened later.
func (w *Writer) failed(err error, r *request) {
	if w.phase == holding {
		w.releaseUnclean()
	}
	fail(r, err)
	for _, o := range w.others {
		fail(o, err)
	}
	if !w.oweAll(r, w.others) {
		return
	}
	if w.phase == holding {
		w.wake.SignalAlways()
		return
	}
	if w.phase == released { // the flag or the lock could not be looked at
		w.wake.SignalAlways()
		err = fault.Run(func() error {
			w.noteAll(r, w.others, w.cur.Tail())
			return nil
		})
	}
	if err != nil {
		w.opts.Logger.Warn("the index of the log's active segment cannot be written", "log", string(w.dir), "error", err)
	}
}

// oweAll has the keeper flush those of a round that are committed, and reports
// whether there are any. What failed may have been the stores that tell the keeper.
func (w *Writer) oweAll(r *request, others []*request) bool {
	end := int64(0)
	if r.over {
		end = r.end
	}
	for _, o := range others {
		if o.over {
			end = max(end, o.end)
		}
	}
	if end == 0 {
		return false
	}
	w.oweUpTo(end)
	return true
}

func (w *Writer) oweUpTo(end int64) {
	for {
		known := w.keeper.end.Load()
		if known >= end || w.keeper.end.CompareAndSwap(known, end) {
			break
		}
	}
	w.keeper.owe()
}

func fail(r *request, err error) {
	if !r.over && r.err == nil {
		r.err = err
	}
}

func (w *Writer) releaseUnclean() {
	// If this faults, the control file itself was cut, and with it the log's
	// lock is gone for everybody: every append will say so.
	_ = fault.Run(func() error {
		w.ctl.Lock.ReleaseUnclean(wakeOne)
		return nil
	})
}

// placeAll writes r and others. An error means that the segment could not be
// used; what concerns one batch only is that request's error.
func (w *Writer) placeAll(repair bool, r *request, others []*request) error {
	if err := w.enter(repair); err != nil {
		return err
	}
	w.time = 0
	w.place(r)
	for _, o := range others {
		w.place(o)
	}
	return nil
}

// enter makes w.cur the active segment. The caller has just got the lock.
func (w *Writer) enter(repair bool) error {
	w.at(stageLocked)
	if w.ctl.Poison.Load() != 0 {
		return w.ctl.CheckPoison()
	}
	if repair {
		if err := w.repair(); err != nil {
			return err
		}
	}
	if active := int64(w.ctl.Active.Load()); w.cur == nil || w.cur.Base != active {
		h, err := w.openHandle(active)
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
		w.keeper.retire(w.cur, h.Base)
	}
	w.cur = h
	w.keeper.adopt(h)
	w.syncer.offer(h)
}

// place appends one batch at the end of the active segment. The order of the
// stores is the protocol: next commit word zero, batch, last time, commit word,
// tail.
func (w *Writer) place(r *request) {
	c, undisturbed := w.cur.tail()
	if undisturbed != w.undisturbed.Load() {
		w.undisturbed.Store(undisturbed)
	}
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
	next := w.cur.StageBody(c, &r.body)
	if w.time == 0 {
		w.time = w.clock.now() // while the lines of the body are on their way
	}
	r.time = max(w.time, w.cur.LastTime())
	w.cur.StageHeader(c, &r.body, r.time)
	w.cur.SetLastTime(r.time)
	w.at(stageStaged)
	w.cur.Commit(c.Position, &r.body)
	r.at, r.base, r.end, r.over = c, w.cur.end(c), w.cur.end(next), true
	w.at(stageCommitted)
	w.cur.SetTail(next)
	w.cur.left = next
	mapping.ReleaseInt64(&w.keeper.end, r.end)
}

// noteAll does what the lock is not needed for: the index, and telling the keeper
// what there is to do. Nothing here can undo the append, so its faults are not the
// caller's.
//
// left is what the round left the tail at. By now it may be behind.
func (w *Writer) noteAll(r *request, others []*request, left segment.Cursor) {
	w.note(r)
	for _, o := range others {
		w.note(o)
	}
	if left.Position >= w.cur.rehearseFrom() {
		w.rehearse(w.cur)
	}
	w.cur.due.Store(w.cur.nextDue(left, w.keeper.ahead.Load()))
}

func (w *Writer) note(r *request) {
	if !r.over {
		return
	}
	if r.base >= w.cur.Base { // not if it went into a segment before a roll
		w.cur.note(r.at, r.time)
	}
	w.keeper.appended(w.cur, r)
}
