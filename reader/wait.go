package reader

import (
	"context"
	"runtime"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/segment"
)

// Next is TryNext that waits: until there is a record, ctx ends, or an error.
//
// Unless there is likely more, it looks at the commit word first and at nothing
// else: TryNext, when nothing is there, looks at words that the producer stores at
// each append, and each look takes the cache line from it.
func (r *Reader) Next(ctx context.Context, rec *segment.Record) error {
	if next := r.Ahead(); next != nil {
		*rec = *next
		return nil
	}
	if r.ahead.wasFull() {
		if ok, err := r.TryNext(rec); ok || err != nil {
			return err
		}
	}
	if r.ahead.dry && !r.opts.Spin {
		r.pace.catchUp(r.next)
	}
	for {
		if err := r.spin(ctx); err != nil {
			return err
		}
		if ok, err := r.TryNext(rec); ok || err != nil {
			return err
		}
		if err := r.sleep(ctx); err != nil {
			return err
		}
	}
}

// spin looks for as long as that has paid lately. It returns nil whether something
// came or not.
func (r *Reader) spin(ctx context.Context) error {
	if r.at.v == nil || r.torn || r.records.Left() > 0 || r.gap != nil || r.next == r.opts.Until {
		return nil // TryNext has something to say, or each look takes system calls
	}
	committed, err := r.watch(1)
	if committed && r.awaited == 0 || err != nil || ctx.Err() != nil {
		return err
	}
	if r.opts.Durable && r.awaited > 0 {
		return r.spinUntilDurable()
	}
	came := false
	for looks := r.pace.begin(r.next, r.opts.Spin); looks > 0 && !came && ctx.Err() == nil; looks -= looksAtOnce {
		if came, err = r.watch(min(looks, looksAtOnce)); err != nil {
			return err
		}
		// Before a sleep too, if there were records: from a goroutine that has not yielded
		// for 10 ms Go's monitor takes the processor at its next look, and to get it back
		// delays the record that ends the sleep. But not without any: the monitor then
		// looks around some sixty times at each wake-up, instead of four.
		if !came && (looks > looksAtOnce || r.pace.fed) {
			runtime.Gosched()
		}
	}
	r.pace.end(came)
	return nil
}

// cacheLine is the bytes that cross from core to core together, on most processors.
const cacheLine = 64

// watch looks at the commit word of the next batch, so many times, and reports
// whether it is there or the source is closed. What is there it verifies at once.
//
// A reader that always spins asks for the line after that word's with each look.
// Most records reach into it, and it would have to wait for it once more after the
// first has come. A producer that appends as fast as it can would have that line
// taken from it, too.
func (r *Reader) watch(looks int) (came bool, err error) {
	defer fault.Recover(fault.Guard(), &err)
	v, position, both := r.at.v, r.at.position, r.opts.Spin
	for range looks {
		if both {
			v.Fetch(position + cacheLine)
		}
		if v.Committed(position) {
			r.refillRun()
			return true, nil
		}
	}
	return r.src.closed.Load(), nil
}

// spinUntilDurable is spin for a record that is there but not yet on disk. That
// takes a sync, so there is little to be had from looking often.
func (r *Reader) spinUntilDurable() error {
	if !r.src.hasControl() {
		return nil // a look takes system calls
	}
	const looks = 100
	for range looks {
		if ready, err := r.ready(); ready || err != nil {
			return err
		}
	}
	return nil
}

// sleep waits in the kernel until there may be something new.
func (r *Reader) sleep(ctx context.Context) error {
	defer r.lookAgain()
	switch {
	case r.opts.Spin:
		runtime.Gosched()
		return ctx.Err()
	case r.pace.takeNap():
		time.Sleep(nap)
		return ctx.Err()
	}
	return r.src.room.Wait(ctx, r.isReady)
}

// ready reports whether it is worth looking again. It stores nothing and does
// not block.
func (r *Reader) ready() (ready bool, err error) {
	defer fault.Recover(fault.Guard(), &err)
	switch {
	case r.src.closed.Load():
		return true, nil
	case r.torn:
		ctl, err := r.src.control()
		return ctl != nil, err
	case r.at.v == nil:
		bases, err := r.src.row()
		return len(bases) > 0, err
	case !r.at.v.Committed(r.at.position):
		return false, nil
	case r.opts.Durable && r.awaited > 0:
		return r.isDurable(r.awaited)
	}
	return true, nil
}
