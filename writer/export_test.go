package writer

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
)

// Stage is a point of an append at which a test may hold the process.
type Stage = stage

// All stages, in the order in which an append passes them.
const (
	Locked    = stageLocked
	Staged    = stageStaged
	Committed = stageCommitted
	Named     = stageNamed
	Sealed    = stageSealed
	Released  = stageReleased
)

// SetHook has f called at every stage of w's appends.
func SetHook(w *Writer, f func(Stage)) { w.hook = f }

// Syncs returns the counter of syncs that covered the whole log.
func Syncs(w *Writer) *atomic.Uint64 { return w.ctl.Syncs }

// Takeovers returns the counter of repairs.
func Takeovers(w *Writer) *atomic.Uint64 { return w.ctl.Takeovers }

// Recycled returns how many files w made spares of.
func Recycled(w *Writer) int64 { return w.recycled.Load() }

// Slot returns the number of w's slot.
func Slot(w *Writer) uint32 { return w.slot.Number }

// BreakSync makes the next sync of w fail, as a disk would: its descriptor is
// replaced by one that cannot be synced.
func BreakSync(w *Writer) error {
	pipe, other, err := os.Pipe()
	if err != nil {
		return err
	}
	other.Close()
	w.syncer.lead <- struct{}{}
	defer func() { <-w.syncer.lead }()
	base, err := w.syncer.firstUnsynced()
	if err == nil {
		err = w.syncer.open(base)
	}
	if err != nil {
		return err
	}
	w.syncer.cur.file.Close()
	w.syncer.cur.file = pipe
	return nil
}

// SyncOne syncs one segment, as retention does with the one that becomes the first.
func SyncOne(w *Writer, base int64) error { return w.syncer.one(base) }

// Lead takes the lead among w's goroutines, which nobody has, until give is called.
func Lead(w *Writer) (give func()) {
	if !w.lead.try() {
		panic("somebody has the lead")
	}
	return w.lead.give
}

// SetClockAhead makes the newest append time of the log ns.
func SetClockAhead(w *Writer, ns int64) { w.cur.SetLastTime(ns) }

// Queued returns how many batches wait for whoever leads.
func Queued(w *Writer) int {
	w.lead.mu.Lock()
	defer w.lead.mu.Unlock()
	return len(w.lead.queue)
}

// OpenWatched is Open, with around called in the place of everything that makes
// something survive power loss: sync does it. What is "data BASE", for what a
// segment holds, "names", for what the log's directory does, or "names in cut".
// The watch ends with the returned function.
func OpenWatched(ctx context.Context, dir layout.Dir, meta layout.Meta, opts Options,
	around func(what string, sync func() error) error) (*Writer, func(), error) {
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		switch {
		case c.Op == "fdatasync" && c.Path == dir.NextSpare(): // no part of the log yet
		case c.Op == "fdatasync", c.Op == "msync":
			return around(dataOf(c.File), do)
		case c.Op == "fsync" && c.Path == string(dir):
			return around("names", do)
		case c.Op == "fsync" && c.Path == dir.Cut():
			return around("names in cut", do)
		}
		return do()
	})
	w, err := Open(ctx, dir, meta, opts)
	if err != nil {
		stop()
	}
	return w, stop, err
}

// DataOf says which segment a file is.
func DataOf(f *os.File) string { return dataOf(f) }

// dataOf looks into the file: its name may be what it was called when it was made.
func dataOf(f *os.File) string {
	head := make([]byte, segment.HeaderBytes)
	_, err := f.ReadAt(head, 0)
	if err == nil {
		var h segment.FileHeader
		if h, err = segment.DecodeHeader(head); err == nil {
			return fmt.Sprintf("data %d", h.Base)
		}
	}
	return fmt.Sprintf("data of %s: %v", f.Name(), err)
}

// GoesAlone reports whether the next append of one record is made without the lead, if
// nobody comes in between.
func GoesAlone(w *Writer) bool {
	return direct && w.undisturbed.Load() && w.company.Load() == 0 && segment.NextOfLone(w.cur.left, 1<<10).Position < w.cur.due.Load()
}

// AppendLate is what an append comes to that looked at w, and that it is open, before
// w was closed. It reports whether it appended.
func AppendLate(w *Writer, value []byte) (appended bool, err error) {
	offset, at, err := w.lone(value)
	return offset >= 0 || at != waiting, err
}

// TryLock takes the log's lock for w, if it is free, and does not give it back.
func TryLock(w *Writer) bool { return w.ctl.Lock.TryFree(w.slot.Number) }

// Met reports whether goroutines that append have met lately.
func Met(w *Writer) bool { return w.company.Load() > 0 }

// LockOwner returns the slot number of the producer that has the log's lock; 0: nobody.
func LockOwner(w *Writer) uint32 { return w.ctl.Lock.Owner() }

// HasNextSpare reports whether w has the file mapped that its next roll will take.
func HasNextSpare(w *Writer) bool {
	x := w.nextSpare()
	if x != nil {
		x.release()
	}
	return x != nil
}

// Zeros returns the position up to which w takes the bytes behind the tail for zero.
func Zeros(w *Writer) int64 { return w.cur.zeros }

// SetDirtyPages has f asked how many pages are to be written, instead of the system.
func SetDirtyPages(w *Writer, f func(file *os.File, from, to int64) (n int64, ok bool)) {
	w.syncer.lead <- struct{}{}
	w.syncer.countDirty = f
	<-w.syncer.lead
}

// Tick is a tick of w's clock.
func Tick(w *Writer) { w.clock.tick() }

// FlagIsRaised reports whether a consumer waits to be woken.
func FlagIsRaised(w *Writer) bool { return w.wake.Raised() }

// OwesFlush reports whether w's keeper is to flush.
func OwesFlush(w *Writer) bool { return w.keeper.dirty.Load() }
