package writer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/segment"
)

// A syncer makes records durable, sharing the work: goroutines of a process wait
// for one of them, and processes for one of them, and a sync that covers an
// offset is everybody's who waits for it (group commit).
//
// The range of a sync is read before it begins: the tail of each segment, which
// never is ahead of what is committed. Only after the sync do the marks move, and
// only up to that range. So the marks are right whoever moves them, in whatever
// order; the lock spares work and guards nothing, and waiting for it is given up
// when its holder is stopped.
type syncer struct {
	w    *Writer
	life sync.RWMutex // held shared by each call; closing takes it, and then unmaps
	dir  *os.File     // the log's directory; nil when closed, guarded by life

	lead chan struct{} // one goroutine of the process at a time; guards the rest
	cur  *handle       // the segment synced last
	// offered is the appender's handle of the segment that was active last.
	offered atomic.Pointer[handle]
	// Of cur: how often all of it was synced, how often a part since then, and up to
	// which position this process has synced everything but the header.
	inFull, apart int
	reached       int64
	// unsavedMark says that a durable mark was stored in cur after its last sync.
	unsavedMark bool
	group       int64 // how many shared the last sync, as far as is known
	// lookFrom is the position in cur from which on to look for pieces, with countDirty, which is
	// files.DirtyPages but for tests.
	lookFrom   int64
	countDirty func(f *os.File, from, to int64) (n int64, ok bool)

	inStep atomic.Bool // group is more than one; for the appender
	asked  atomic.Bool // somebody waited for a record of his to be durable
}

func (s *syncer) init(w *Writer) (err error) {
	s.w = w
	s.lead = make(chan struct{}, 1)
	s.countDirty = files.DirtyPages
	s.dir, err = files.OpenDir(string(w.dir))
	return err
}

// close waits for calls that are under way. Later ones get ErrClosed.
func (s *syncer) close() {
	s.life.Lock()
	defer s.life.Unlock()
	s.cur.release()
	s.cur = nil
	s.offered.Swap(nil).release()
	s.dir.Close()
	s.dir = nil
}

// Sync returns when every record below the offset target is durable. A failed
// sync fails for every process and every later call, since nobody can know what
// reached the disk.
func (w *Writer) Sync(ctx context.Context, target int64) error {
	if !w.syncer.asked.Load() {
		w.syncer.asked.Store(true)
	}
	return w.syncer.to(ctx, target)
}

// SyncAll is Sync for everything that this writer appended.
func (w *Writer) SyncAll(ctx context.Context) error {
	return w.syncer.to(ctx, w.keeper.end.Load())
}

func (s *syncer) to(ctx context.Context, target int64) (err error) {
	return s.upTo(ctx, target, everything)
}

// through is to for the base offset of a segment, and syncs no more than those
// before it.
func (s *syncer) through(ctx context.Context, base int64) error { return s.upTo(ctx, base, base) }

// everything is the bound of a sync that has none.
const everything = math.MaxInt64

func (s *syncer) upTo(ctx context.Context, target, bound int64) (err error) {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.dir == nil {
		return ErrClosed
	}
	defer fault.Recover(fault.Guard(), &err)
	if covered, err := s.covered(target); covered || err != nil {
		return err
	}
	if ctx.Done() == nil { // to wait for one thing takes half the time
		s.lead <- struct{}{}
	} else {
		select {
		case s.lead <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("wait for a sync: %w", ctx.Err())
		}
	}
	defer func() { <-s.lead }()
	if covered, err := s.covered(target); covered || err != nil {
		return err // by the sync of who had the lead
	}
	return s.share(ctx, target, bound)
}

// all syncs whatever is committed now, needed or not.
func (s *syncer) all(ctx context.Context) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.dir == nil {
		return ErrClosed
	}
	select {
	case s.lead <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.lead }()
	return fault.Run(func() error {
		if err := s.w.ctl.CheckPoison(); err != nil {
			return err
		}
		return s.once(everything, func() {})
	})
}

// one syncs one segment and the names, and moves no mark.
func (s *syncer) one(base int64) error {
	h, err := s.w.openHandle(base)
	if err != nil {
		return err
	}
	defer h.release()
	return s.early(h)
}

// early is one for who has the segment open. It leaves cur as it is: who syncs next
// is to be told of what failed since that was opened. It needs no lead either, as it
// stores nothing that another one looks at.
func (s *syncer) early(h *handle) error {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.dir == nil {
		return ErrClosed
	}
	return fault.Run(func() error {
		if err := s.w.ctl.CheckPoison(); err != nil {
			return err
		}
		h.synced.Store(true)
		err := files.SyncData(h.file)
		if err == nil {
			err = files.SyncOpenDir(s.dir)
		}
		if err != nil {
			return s.poison(err)
		}
		return nil
	})
}

// offer hands over the appender's handle of the active segment. A sync through a
// descriptor that was open when a write-back failed is sure to be told so, even
// if another process was told before and died of a kill before it could tell us.
func (s *syncer) offer(h *handle) {
	old := s.offered.Swap(h.retain())
	old.release()
}

func (s *syncer) covered(target int64) (bool, error) {
	if err := s.w.ctl.CheckPoison(); err != nil {
		return false, err
	}
	return int64(s.w.ctl.Durable.Load()) >= target, nil
}

// once syncs all that is committed now, segment by segment in order. Segments
// that are begun meanwhile are left to the next time: producers that roll faster
// than the disk follows would keep it at work for ever. It ends early with the
// segment that reaches the offset bound.
//
// release gives back the lock, if it is held. That comes before the durable offset
// moves: who finds the lock taken sleeps until that offset is another than the one
// it saw before. The other way round it could see the new one, find the lock taken
// still, and sleep when everybody has been woken. (So it can still, if somebody else
// has the lock for a moment and finds everything done: the sleep's bound is for that.)
func (s *syncer) once(bound int64, release func()) error {
	last, err := s.w.ctl.ActiveBase()
	if err != nil {
		return err
	}
	base, err := s.firstUnsynced()
	if err != nil {
		return err
	}
	defer s.w.wake.Signal() // consumers may wait for durable records only
	for {
		err := s.open(base)
		if missing(err) { // retention was quicker; what is gone needs no sync
			if base, err = s.firstUnsynced(); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		tail := s.cur.Tail()
		var marker segment.Frame
		sealed := s.cur.Read(tail.Position, s.cur.end(tail), &marker) == nil && marker.IsEnd()
		if err := s.flush(tail, sealed); err != nil {
			return err
		}
		s.cur.RaiseDurable(tail)
		s.unsavedMark = true
		release()
		control.Raise(s.w.ctl.Durable, uint64(s.cur.end(tail)))
		if !sealed {
			break
		}
		base = marker.Base
		control.Raise(s.w.ctl.SyncFrom, uint64(base))
		if base > last || base >= bound {
			break
		}
	}
	s.w.ctl.Syncs.Add(1)
	return nil
}

// firstUnsynced returns the base of the segment to begin with. Retention may
// have removed segments that were never synced; what is gone needs no sync.
func (s *syncer) firstUnsynced() (int64, error) {
	from := int64(s.w.ctl.SyncFrom.Load())
	// No look at the name for each sync: once somebody has seen a file's times, the
	// next write changes them, and the next sync has the inode to write as well.
	if s.cur != nil && s.cur.Base == from {
		return from, nil
	}
	if _, err := files.Lstat(s.w.dir.Segment(from)); !missing(err) {
		return from, err
	}
	bases, err := s.w.dir.Segments()
	if err != nil {
		return 0, err
	}
	for _, base := range bases {
		if base >= from {
			return base, nil
		}
	}
	if len(bases) == 0 {
		return 0, fmt.Errorf("%s: no segment from offset %d on", s.w.dir, from)
	}
	// No producer stored that word. What it said before is unknown: begin with all.
	s.w.ctl.SyncFrom.CompareAndSwap(uint64(from), uint64(bases[0]))
	return bases[0], nil
}

func (s *syncer) open(base int64) error {
	if s.cur != nil && s.cur.Base == base {
		return nil
	}
	h := s.offered.Load()
	if h == nil || h.Base != base || !s.offered.CompareAndSwap(h, nil) {
		var err error
		if h, err = s.w.openHandle(base); err != nil {
			return err
		}
	}
	s.cur.release()
	s.cur = h
	s.inFull, s.apart, s.reached, s.lookFrom = 0, 0, 0, 0
	return nil
}

// A sync writes the pages that hold the records that are not durable yet, and leaves
// out the page of the segment's header: to write it costs what a page of records
// costs, and one more page fault in each process that appends. Tail and last time,
// which the header says, recovery finds by itself. Its durable mark tells damage from a torn
// end, and where recovery begins, so it must not stay behind for long: the first
// two syncs, of which the second has the mark of the first, and each one after fewApart
// others write it.
//
// Behind the records are pages made ready for the next ones, a MiB or more. In a file
// that is new those that write the header write them as well: blocks that were never
// written cost a filesystem an entry in its journal, so once for many syncs is better than with
// each. In a recycled file that would be a MiB of old bytes, for nothing.
const (
	fewInFull = 2
	fewApart  = 16
)

// flush syncs the current segment up to tail and, once in its life, its name.
func (s *syncer) flush(tail segment.Cursor, sealed bool) error {
	s.cur.synced.Store(true)
	var err error
	header := s.apart >= fewApart
	if sealed || s.inFull < fewInFull || tail.Position < s.reached || header && s.cur.Origin != segment.Recycled {
		err = files.SyncData(s.cur.file)
		s.inFull, s.apart = s.inFull+1, 0
	} else {
		s.lookForPieces()
		from := s.reached
		if s.apart++; header {
			from, s.apart = 0, 0
		}
		err = files.SyncMapped(s.cur.file, s.cur.m.Bytes(), from, tail.Position+segment.CommitBytes)
	}
	if err == nil {
		s.reached = tail.Position
	}
	if err == nil && s.w.ctl.Named.Load() <= uint64(s.cur.Base) {
		if err = files.SyncOpenDir(s.dir); err == nil {
			control.Raise(s.w.ctl.Named, uint64(s.cur.Base)+1)
			s.tellPredecessor()
		}
	}
	if err != nil {
		return s.poison(err)
	}
	return nil
}

// tellPredecessor stores in the segment before the current one that this one is
// on disk. It is a help to recovery and may fail: nothing is promised of it.
func (s *syncer) tellPredecessor() {
	bases, err := s.w.dir.Segments()
	if err != nil {
		return
	}
	i, found := slices.BinarySearch(bases, s.cur.Base)
	if !found || i == 0 {
		return
	}
	h, err := s.w.openHandle(bases[i-1])
	if err != nil {
		if !missing(err) { // else retention was quicker
			s.w.keeper.warn("note of a segment's successor", err)
		}
		return
	}
	if h.end(h.Tail()) == s.cur.Base { // else the listing lacks one that is newer than itself
		h.SetSuccessor(s.cur.Base)
	}
	h.release()
}

// poison makes a failed sync everybody's, for good: the kernel has dropped the
// pages it could not write, so trying again would report a success that is none.
func (s *syncer) poison(err error) error {
	errno := syscall.EIO
	errors.As(err, &errno)
	s.w.ctl.Poison.CompareAndSwap(0, uint32(errno))
	s.w.wake.SignalAlways()
	return fmt.Errorf("%w: %w", control.ErrSyncFailed, err)
}

// finish makes everything durable that this writer appended, and the mark that
// says so, which spares the next boot the look at what the mark covers.
func (s *syncer) finish() error {
	if err := s.to(context.Background(), s.w.keeper.end.Load()); err != nil {
		return err
	}
	s.lead <- struct{}{}
	defer func() { <-s.lead }()
	if !s.unsavedMark {
		return nil
	}
	if err := files.SyncData(s.cur.file); err != nil {
		return fault.Run(func() error { return s.poison(err) })
	}
	return nil
}
