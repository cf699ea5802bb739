// Package writer appends to a log. A Writer is one producer: it holds a slot in
// the log's directory, whose file lock tells the others that it lives.
//
// Writer and reader know nothing of each other. They meet in the mapped files
// only, as two processes do.
//
// Reading order: writer.go, append.go (one append, and how goroutines combine),
// roll.go, repair.go (after a process died), recover.go and recovery.go (after
// the machine did; recovery_promised.go, recovery_cut.go), mend.go and remedy.go
// (after the disk did), sync.go (durability), keeper.go, early.go and retain.go (what is
// done in the background), trim.go (how segments are dropped), recycle.go (what becomes
// of their files), prepare.go and maps.go (how the next segment is made ready).
package writer

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/wake"
	"github.com/seed27ccf144/mlog/segment"
)

// ErrClosed says that the writer was closed.
var ErrClosed = errors.New("writer is closed")

// Options are what a Writer needs to know besides the log.
type Options struct {
	FlushEvery time.Duration // bound of the time between visible and durable; 0 or less: never flush
	Logger     *slog.Logger  // never nil
	// Now tells the time, instead of the system's clock. It is for tests: clocks are
	// set, back too, and no process may do that to the machine it is tested on.
	Now func() time.Time
}

// A Writer appends to one log. It is safe for use by many goroutines at once.
type Writer struct {
	dir    layout.Dir
	meta   layout.Meta
	modes  layout.Modes
	opts   Options
	judge  control.Judge
	slot   *control.Slot
	ctl    *control.Control
	wake   *wake.File
	syncer syncer
	keeper keeper
	maps   maps

	// Guarded by the log's lock, and changed with the lead besides.
	cur         *handle     // the active segment as this process last saw it; nil if none
	undisturbed atomic.Bool // no other process appended since this one did; then cur is there
	clock       clock       // also advanced without the lead

	copied []byte       // a value, between its look by lone and the segment
	within atomic.Int64 // 1: lone has the lock; for who closes a log whose lock is gone

	// company is for how many more appends of one record goroutines use the lead (lone.go).
	company atomic.Int64

	// lead is held by the goroutine that appends for all that wait; it guards what
	// follows. The shared lock is taken inside it.
	lead   lead
	time   int64      // of the round; 0 until it has read the clock
	own    request    // of a goroutine that got the lead without waiting
	others []*request // the round's, besides the leader's own
	phase  phase      // of the round

	requests sync.Pool
	closed   atomic.Bool
	capped   atomic.Bool  // retention was found to drop segments, which are recycled
	recycled atomic.Int64 // files that this process made spares of
	renewal  renewal
	trims    sync.Mutex // held by a Trim; closing waits for it
	// droppedTo is the base before which all segments are gone, durably; 0 is true of any log.
	droppedTo atomic.Int64
	now       func() time.Time
	hook      func(stage) // tests stop or kill the process here; nil otherwise
}

// A stage is a point of an append at which a test may hold the process.
type stage int

const (
	stageLocked    stage = iota // the lock is held, nothing is written
	stageStaged                 // the batch is written but not committed
	stageCommitted              // it is committed, the tail is not stored
	stageNamed                  // roll: the new segment has its name, the old one no end marker
	stageSealed                 // roll: the end marker is there, the active word is not stored
	stageReleased               // the lock is released, nobody is woken
)

func (w *Writer) at(s stage) {
	if w.hook != nil {
		w.hook(s)
	}
}

// Open makes the caller a producer of the log in dir. If the log was left by an
// earlier boot, or copied from elsewhere, its end is recovered first; within a
// boot opening costs the same whatever the log holds. ctx bounds the wait for
// another process that is recovering the log.
func Open(ctx context.Context, dir layout.Dir, meta layout.Meta, opts Options) (*Writer, error) {
	if err := meta.Writable(); err != nil {
		return nil, err
	}
	w := &Writer{
		dir:   dir,
		meta:  meta,
		modes: layout.ModesFor(meta.Mode),
		opts:  opts,
		judge: control.JudgeIn(dir),
		now:   opts.Now,
	}
	share := 1
	if w.now == nil {
		w.now, share = time.Now, clockShare
	}
	w.clock.init(w.now, share)
	if direct {
		w.clock.ticked = w.lookAgain
	}
	w.requests.New = newRequest
	if err := w.join(ctx); err != nil {
		w.release()
		return nil, err
	}
	if err := fault.Run(w.inherit); err != nil {
		w.release()
		return nil, err
	}
	if err := w.syncer.init(w); err != nil {
		w.release()
		return nil, err
	}
	w.keeper.start(w)
	return w, nil
}

// inherit deals with a former owner of our slot that died holding a lock: its
// number in the word now is ours, so the lock is too.
func (w *Writer) inherit() error {
	var err error
	if w.wake, err = wake.Open(w.dir); err != nil {
		return err
	}
	if err := w.confirmDurable(); err != nil {
		return err
	}
	if w.ctl.SyncLock.Owner() == w.slot.Number {
		w.ctl.SyncLock.Release(wakeAll)
	}
	if w.ctl.Lock.Owner() == w.slot.Number {
		if err := fault.Run(func() error { return w.enter(true) }); err != nil {
			w.releaseUnclean()
			return err
		}
		w.ctl.Lock.Release(wakeOne)
	}
	return nil
}

// Close gives the producer's slot back. With a flush bound set it first makes
// everything durable that this writer appended. Appends that are under way
// finish; later ones get ErrClosed.
func (w *Writer) Close() error {
	if w.closed.Swap(true) {
		return nil
	}
	w.lead.close()
	w.awaitLone()
	w.clock.stop()
	w.trims.Lock()
	defer w.trims.Unlock()
	w.keeper.stop()
	var err error
	if w.opts.FlushEvery > 0 {
		err = w.syncer.finish()
	}
	w.syncer.close()
	w.release()
	return err
}

func (w *Writer) release() {
	w.keeper.discard()
	w.syncer.offered.Swap(nil).release()
	w.cur.release()
	w.cur = nil
	w.maps.empty()
	if w.slot != nil {
		w.giveUpSlot()
	}
	w.unmapWords()
}

// MaxFrame returns the length of the longest batch that fits a segment.
func (w *Writer) MaxFrame() int64 { return segment.MaxFrame(w.meta.SegmentBytes) }

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
