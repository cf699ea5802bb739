package writer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/segment"
)

// A keeper does in the background what an append need not wait for: flushing
// within the bound, making the next segment ready, populating pages ahead of the
// tail, indexes, retention, unmapping. It is one goroutine, asleep until there
// is something to do, and one more while it flushes; with everything flushed it
// has no timer.
//
// All of it may be left undone: another process, or the next one, makes up for
// it.
type keeper struct {
	w      *Writer
	end    atomic.Int64 // offset after the newest record that this writer appended
	dirty  atomic.Bool  // something was appended since the last flush began
	notice chan struct{}
	quit   chan struct{}
	done   chan struct{}

	// ahead is how many bytes ahead of the tail pages are made ready.
	ahead atomic.Int64

	atOnce   int            // the loop's: how many segments retention drops at once; 0: the least
	early    sync.WaitGroup // see early.go
	flushing atomic.Bool    // flushFull is at it

	mu   sync.Mutex
	todo todo
	over todo // the loop's: a list that was done, whose room the next one uses
}

// todo is what the keeper was asked for and has not begun.
type todo struct {
	adopted  []*handle // segments whose index is to be opened; each one retained
	populate []stretch
	retired  []*handle
	full     int64 // segments before this offset are full; 0: none has become so
	spare    bool
	retain   bool
}

// emptied returns a list of nothing that has the room of this one.
func (t todo) emptied() todo {
	clear(t.adopted)
	clear(t.populate)
	clear(t.retired)
	return todo{adopted: t.adopted[:0], populate: t.populate[:0], retired: t.retired[:0]}
}

// A stretch is how far a segment's pages, and then those of the one after it, are
// to be made ready.
type stretch struct {
	h  *handle // retained
	to int64
}

func (k *keeper) start(w *Writer) {
	k.w = w
	k.notice = make(chan struct{}, 1)
	k.quit = make(chan struct{})
	k.done = make(chan struct{})
	k.ahead.Store(leastAhead)
	k.request(func(t *todo) {}) // what Open left for us
	go k.loop()
}

func (k *keeper) stop() {
	close(k.quit)
	<-k.done
	k.early.Wait()
}

// request adds to the list and wakes the keeper. It is called with locks held
// and so must not block.
func (k *keeper) request(add func(*todo)) {
	k.mu.Lock()
	add(&k.todo)
	k.mu.Unlock()
	select {
	case k.notice <- struct{}{}:
	default:
	}
}

func (k *keeper) adopt(h *handle) {
	h.retain()
	k.request(func(t *todo) { t.adopted = append(t.adopted, h) })
}

// retire takes over the segment that was active before the one with the base next.
func (k *keeper) retire(h *handle, next int64) {
	k.request(func(t *todo) {
		t.retired = append(t.retired, h)
		t.full = next
	})
}

func (k *keeper) rolled() {
	k.ahead.Store(max(leastAhead, k.ahead.Load()/2))
	k.request(func(t *todo) { t.retain = true })
}

// clean reports whether a flush is to be asked for after an append. The append has
// raised end before, and a barrier is between: so flush, which lowers dirty before it
// loads end, either sees the append or is asked again. Where there is none, after an append
// of a run, Writer.lookAgain asks.
func (k *keeper) clean() bool { return k.w.opts.FlushEvery > 0 && !k.dirty.Load() }

// owe has the keeper flush within the bound what was appended.
func (k *keeper) owe() {
	if k.clean() && k.dirty.CompareAndSwap(false, true) {
		k.request(func(*todo) {})
	}
}

// appended is called after an append that handle.nextDue or clean asks for, by the
// goroutine that has the lead, with the active segment.
func (k *keeper) appended(h *handle, r *request) {
	k.owe()
	if r.base < h.Base {
		return // it went into the segment before
	}
	position := r.at.Position
	if asked, ahead := h.asked.Load(), k.ahead.Load(); position > asked-ahead/2 {
		ready, to := h.ready.Load(), position+2*ahead
		if ready-ahead > to { // of an earlier segment in this file: to wake the keeper for that costs more than most appends
			h.asked.Store(ready - ahead)
		} else {
			if position > ready && asked > ready && ahead < mostAhead {
				k.ahead.Store(2 * ahead) // the keeper came too late
			}
			h.asked.Store(to)
			h.retain()
			k.request(func(t *todo) { t.populate = append(t.populate, stretch{h, to}) })
		}
	}
	if position > h.Size/2 && !h.spareAsked.Load() && !h.spareAsked.Swap(true) {
		k.request(func(t *todo) { t.spare = true })
	}
}

// restAfter is how long a process that no longer appends keeps files mapped that no
// segment needs.
const restAfter = time.Second

func (k *keeper) loop() {
	defer close(k.done)
	var flush, rest *time.Timer
	var due, idle <-chan time.Time
	// A flush is beside the loop: it may take a second, and what makes the next
	// segment ready must not wait for it. There is one at a time.
	flushing, flushed := false, make(chan struct{})
	var seen int64 // what the log's end was when the rest began
	for {
		select {
		case <-k.quit:
			for more := true; more; more = k.retains() {
				k.work()
			}
			if flushing {
				<-flushed
			}
			for _, t := range []*time.Timer{flush, rest} {
				if t != nil {
					t.Stop()
				}
			}
			return
		case <-idle:
			idle = nil
			if k.end.Load() == seen {
				k.w.maps.empty()
			} else {
				k.w.maps.releaseUnlinked()
				k.request(func(*todo) {})
			}
		case <-k.notice:
			k.work()
			if idle == nil && !k.w.maps.isEmpty() {
				rest, seen = time.NewTimer(restAfter), k.end.Load()
				idle = rest.C
			}
			if due == nil && !flushing && k.dirty.Load() {
				flush = time.NewTimer(k.w.opts.FlushEvery)
				due = flush.C
			}
		case <-due:
			due, flushing = nil, true
			go func() {
				k.flush()
				flushed <- struct{}{}
			}()
		case <-flushed:
			flushing = false
			k.request(func(*todo) {}) // what was appended meanwhile
		}
	}
}

// retains reports whether retention was not done when there was other work.
func (k *keeper) retains() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.todo.retain
}

// flush lowers dirty first: an append during the sync sets it again, and so is
// flushed in its turn.
func (k *keeper) flush() {
	k.dirty.Store(false)
	if err := k.w.syncer.to(context.Background(), k.end.Load()); err != nil {
		k.warn("flush", err)
		if !errors.Is(err, control.ErrSyncFailed) {
			k.dirty.Store(true) // no sync was tried that may not be tried again
		}
	}
}

func (k *keeper) warn(what string, err error) {
	k.w.opts.Logger.Warn("background "+what+" failed", "log", string(k.w.dir), "error", err)
}

func (k *keeper) work() {
	k.mu.Lock()
	t := k.todo
	k.todo = k.over
	k.mu.Unlock()
	defer func() { k.over = t.emptied() }()
	for _, p := range t.populate {
		p.h.populate(p.to, k.singly())
		if p.to > p.h.Size {
			k.populateNext(p.to - p.h.Size)
		}
		p.h.release()
	}
	if t.spare {
		if err := k.prepare(); err != nil {
			k.warn("preparation of the next segment", err)
		}
	}
	for _, h := range t.adopted {
		if err := fault.Run(func() error { return k.openIndex(h) }); err != nil {
			k.warn("index", err)
		}
		h.release()
	}
	for _, h := range t.retired {
		if h.Origin == segment.Made && k.w.capped.Load() {
			k.syncEarly(h)
		}
		h.release()
	}
	if t.retain {
		if err := k.retain(); err != nil {
			k.warn("retention", err)
		}
		k.mapSpare()
		k.w.maps.releaseUnlinked()
	}
	if t.full > 0 && k.w.opts.FlushEvery > 0 && k.keepsAll() {
		k.flushFull(t.full)
	}
}

// openIndex opens or makes the index of a segment and notes the batches that
// were appended while nobody had it open: after a roll, or when it was lost.
func (k *keeper) openIndex(h *handle) error {
	x, err := indexfile.OpenOrCreate(k.w.dir.Index(h.Base), h.indexHeader(), k.w.modes.Data)
	if err != nil {
		if _, serr := files.Lstat(k.w.dir.Segment(h.Base)); missing(err) && missing(serr) {
			return nil // retention was quicker, and removed what was to become the index
		}
		return err
	}
	from := segment.Cursor{Position: segment.HeaderBytes}
	if e, ok := x.Last(anyEntry); ok {
		from = segment.Cursor{Position: e.Position, Count: e.Count}
		var f segment.Frame
		if h.Read(from.Position, h.end(from), &f) != nil {
			x.Close()
			return k.replaceIndex(h)
		}
	}
	if _, err := files.Lstat(k.w.dir.Segment(h.Base)); missing(err) { // retention was quicker
		_ = files.Remove(k.w.dir.Index(h.Base))
	}
	// First the appender uses it, then we read the tail: so no batch falls
	// between what it notes and what we do.
	h.index.Store(x)
	h.Scan(from, func(f *segment.Frame) {
		x.Note(index.Entry{Position: f.Position, Count: f.Base - h.Base, Time: f.Time})
	})
	return nil
}

func anyEntry(index.Entry) bool { return true }

// replaceIndex makes a wrong index anew.
func (k *keeper) replaceIndex(h *handle) error {
	if err := files.Remove(k.w.dir.Index(h.Base)); err != nil && !missing(err) {
		return err
	}
	return k.openIndex(h)
}

// discard releases what the keeper was asked for if it never came to run.
func (k *keeper) discard() {
	for _, h := range append(k.todo.adopted, k.todo.retired...) {
		h.release()
	}
	k.todo = todo{}
}
