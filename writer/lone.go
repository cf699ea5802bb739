package writer

import (
	"runtime"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/mapping"
	"github.com/seed27ccf144/mlog/segment"
)

// The commonest append is of one plain record, by a process that nobody competes with,
// to the segment that it appended to before. It is made by one function and without the
// lead: the log's lock keeps the goroutines of a process apart as it does processes, and
// to take and give back the lead as well would cost as much as the log's lock does. What
// the lead guards in a Writer, and lone touches, is touched with that lock held only.
//
// The order of the stores is that of a round. Whatever is in the way (somebody leads or
// queues, another process appended, a roll, news for the index) is left to a round. It does
// not look whether its own commit word is still zero: this producer stored that when it stored
// the tail, which is as it left it. A look would wait for a line that a reader who spins
// has taken. The next one's it need not store where it is zero already (zeroahead.go).
//
// What the lead gave for nothing is that whoever closes the writer knew that no append
// was under way. Now a goroutine may be anywhere between its look at the writer and the
// lock. So it looks whether the writer is closed once it has the lock, and does nothing
// then but give it back; who closes waits, after he has said so, until the lock is not
// this producer's (awaitLone): after that nobody of this process touches the log's words
// but the lock. Before the slot is given up, so that its number may become another
// producer's, the words are replaced by zeros (control.Leave), which are unmapped when
// the garbage collector finds that nobody can come any more. spec/close.pml has this.

// lone appends a record with this value, or finds something in the way. It reports how far
// it came:
//
//   - waiting: nothing was done, and the caller is to make a round of it;
//   - noting: it is appended, at this offset;
//   - any other: err says what fault there was, and loneFailed goes on.
func (w *Writer) lone(value []byte) (offset int64, at phase, err error) {
	defer fault.Recover(fault.Guard(), &err)
	offset = -1
	if !w.ctl.Lock.TryFree(w.slot.Number) {
		if w.ctl.Lock.Owner() == w.slot.Number {
			w.meet()
		}
		return offset, waiting, nil
	}
	if w.closed.Load() { // by now nothing else of the writer may be there
		w.ctl.Lock.Release(wakeOne)
		return offset, waiting, nil
	}
	at = holding
	mapping.ReleaseInt64(&w.within, 1)
	w.at(stageLocked)
	h := w.cur
	c := h.left
	next := segment.NextOfLone(c, len(value))
	if !h.TailIs(c) || next.Position >= h.due.Load() || !h.HasRoom(next) ||
		w.ctl.Active.Load() != uint64(h.Base) || w.ctl.Poison.Load() != 0 {
		at = waiting
		mapping.ReleaseInt64(&w.within, 0)
		w.ctl.Lock.Release(wakeOne)
		return offset, at, nil
	}
	quick := w.clock.shares()
	if !quick { // what is hashed must be what is stored, whatever the caller does meanwhile
		w.copied = append(w.copied[:0], value...)
		value = w.copied
	}
	h.StageLone(c, next, value, h.isZeroAhead(next))
	ns := max(w.clock.now(), h.LastTime()) // while the lines of the value are on their way
	h.StageLoneHeader(c, value, quick, ns)
	h.SetLastTime(ns)
	w.at(stageStaged)
	h.CommitLone(c, len(value))
	offset = h.end(c)
	w.at(stageCommitted)
	h.SetTail(next)
	h.left = next
	if !quick {
		h.zeroAhead(next, next.Position-c.Position)
	}
	mapping.ReleaseInt64(&w.keeper.end, offset+1)
	at = released
	mapping.ReleaseInt64(&w.within, 0)
	if quick && w.clock.hasNotTicked() {
		w.ctl.Lock.ReleaseSoon(w.slot.Number, wakeOne)
	} else {
		w.ctl.Lock.Release(wakeOne)
	}
	w.at(stageReleased)
	if w.wake.Raised() {
		w.wake.Signal()
	}
	w.keeper.owe()
	return offset, noting, nil
}

// An append of a run does not wait, before it looks whether anybody waits for its record, until
// everybody sees what it has stored: a consumer may raise its flag, find no record and go to
// sleep, and the append find no flag. The next append looks again, and after the last one
// the clock's ticker does, which is to tick once more at least, a millisecond after the
// append found that it had not ticked. By then the append's stores are seen: the processor keeps them
// back for as long as it takes to fetch their lines, and no longer than until the next
// interrupt. spec/wake.pml has it, with QUICK.

// lookAgain is called with each tick. Who closes the writer wakes everybody, and flushes.
func (w *Writer) lookAgain() {
	if w.closed.Load() {
		return
	}
	w.wake.Signal()
	w.keeper.owe()
}

// Goroutines that append at once are better off with the lead, which gathers what they
// append under one lock, while one that waits for the log's lock pauses as if for another
// process. So after two have met, this many appends are made with it.
const companyAppends = 1000

// meet is called when an append has found another one of this process under way.
func (w *Writer) meet() {
	if w.company.Load() < companyAppends/2 {
		w.company.Store(companyAppends)
	}
}

// part is called for each append of one record with the lead. One that is lost in a race
// is no matter.
func (w *Writer) part() {
	if n := w.company.Load(); n > 0 {
		mapping.ReleaseInt64(&w.company, n-1)
	}
}

// loneFailed ends an append that met a memory fault. It is appended if it was committed.
func (w *Writer) loneFailed(offset int64, at phase, err error) (int64, error) {
	if offset >= 0 {
		w.oweUpTo(offset + 1) // before the lock goes: who closes flushes what is owed by then
	}
	if at == holding {
		w.releaseUnclean()
		w.within.Store(0)
	}
	if offset < 0 {
		return 0, err
	}
	w.wake.SignalAlways() // the flag or the lock could not be looked at
	runtime.KeepAlive(w)  // until here the words may not be unmapped
	return offset, nil
}

// awaitLone returns when no append of this process without the lead is under way. The
// writer is closed, so none begins.
func (w *Writer) awaitLone() {
	for n := 0; w.hasLock(); n++ {
		if n < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// hasLock reports whether the log's lock is this producer's. If a stranger has cut the file
// that it is in, who had it by then may still be storing to the segment.
func (w *Writer) hasLock() (has bool) {
	err := fault.Run(func() error {
		has = w.ctl.Lock.Owner() == w.slot.Number
		return nil
	})
	if err != nil && direct {
		time.Sleep(time.Millisecond) // within is stored plainly, so it may come a little late
		has = w.within.Load() != 0
	}
	return has
}

// giveUpSlot ends this producer. A slot that cannot be given up safely stays taken until
// the writer is garbage.
func (w *Writer) giveUpSlot() {
	if direct {
		if w.wake != nil { // an append that is over but for its wake-up finds zeros after this
			w.wake.Signal()
		}
		err := w.ctl.Leave(w.slot.Number)
		if w.wake != nil && err == nil {
			err = w.wake.Leave()
		}
		if err != nil {
			w.opts.Logger.Warn("the producer's slot stays taken for a while", "log", string(w.dir), "error", err)
			return
		}
	}
	w.slot.Release()
}

// unmapWords unmaps what the producers share: if a goroutine may still be about to look
// at it, when the writer is garbage.
func (w *Writer) unmapWords() {
	words := []interface{ Close() error }{}
	if w.wake != nil {
		words = append(words, w.wake)
	}
	if w.ctl != nil {
		words = append(words, w.ctl)
	}
	unmap := func(words []interface{ Close() error }) {
		for _, m := range words {
			m.Close()
		}
	}
	if direct && w.slot != nil {
		runtime.AddCleanup(w, unmap, words)
		return
	}
	unmap(words)
}
