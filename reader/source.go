// Package reader reads a log. It needs read permission only: it stores nothing
// but the flag that asks producers to wake it.
//
// Reader and writer know nothing of each other. They meet in the mapped files
// only, as two processes do.
//
// Reading order: source.go (what the readers of a process share), idle.go (what
// they have left and may come to again), seek.go and lookup.go (from an offset or
// a time to a position), row.go and unrecovered.go (what a power loss left),
// reader.go (one reader), damage.go (what it does when bytes do not verify).
package reader

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/wake"
	"github.com/seed27ccf144/mlog/segment"
)

// ErrClosed says that the reader, or the log it reads, was closed.
var ErrClosed = errors.New("reader is closed")

// A Source is what all readers of one log in one process share: the mapped
// segments, the place to sleep, the producers' words. It is safe for concurrent
// use.
type Source struct {
	dir    layout.Dir
	meta   layout.Meta
	wake   *wake.File
	room   *wake.Room
	closed atomic.Bool

	mu    sync.Mutex
	users int // the opener and every reader; the last one unmaps
	ctl   *control.Control
	// checked is when ctl was last found to be the file of its name; replaced are
	// the mappings of files that it was not any more, kept for who may use them.
	checked  time.Time
	ctlFile  fs.FileInfo
	replaced []*control.Control
	views    map[int64]*view
	leaving  sync.WaitGroup // what leave has not unmapped yet
	idle     idle
}

// A view is a segment mapped for reading, shared by the readers that are in it.
// The file lock on it keeps producers from recycling the file meanwhile.
type view struct {
	*segment.Segment
	file *os.File    // locked
	refs int         // guarded by Source.mu
	info fs.FileInfo // of file, once the view is idle
}

// NewSource opens the log in dir for reading.
func NewSource(dir layout.Dir, meta layout.Meta) (*Source, error) {
	w, err := wake.Open(dir)
	if err != nil {
		return nil, err
	}
	return &Source{dir: dir, meta: meta, wake: w, room: wake.NewRoom(w), users: 1, views: make(map[int64]*view)}, nil
}

// Close ends all reading: readers that wait return ErrClosed. What is mapped
// stays so until the last reader is closed.
func (s *Source) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	err := fault.Run(func() error {
		s.room.WakeAll()
		return nil
	})
	s.Drop()
	return err
}

// Hold keeps the source usable until Drop, whoever closes it meanwhile.
func (s *Source) Hold() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return ErrClosed
	}
	s.users++
	return nil
}

// Drop ends a Hold.
func (s *Source) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	if s.users > 0 {
		return
	}
	s.leaving.Wait()
	s.idle.close()
	s.wake.Close()
	for _, ctl := range append(s.replaced, s.ctl) {
		if ctl != nil {
			ctl.Close()
		}
	}
	s.ctl, s.replaced = nil, nil
}

// control returns the producers' words, or nil while there are none of this
// boot: no producer has opened the log since, so its end is as the last boot
// left it and not yet recovered.
func (s *Source) control() (*control.Control, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctl != nil {
		if s.isCurrent() {
			return s.ctl, nil
		}
		s.replaced = append(s.replaced, s.ctl)
		s.ctl = nil
	}
	fi, err := files.Lstat(s.dir.Control())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	ctl, err := control.Open(s.dir.Control(), s.meta.LogID, false)
	if errors.Is(err, control.ErrStale) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.ctl, s.ctlFile, s.checked = ctl, fi, time.Now()
	return ctl, nil
}

func (s *Source) hasControl() bool {
	ctl, err := s.control()
	return ctl != nil && err == nil
}

// controlCheck is how long a replaced control file goes unnoticed.
const controlCheck = time.Second

// isCurrent reports whether the mapped control file still is the one of that
// name. Where a system does not tell its boots apart, each recovery makes it anew
// under the readers that are there.
func (s *Source) isCurrent() bool {
	if time.Since(s.checked) < controlCheck {
		return true
	}
	s.checked = time.Now()
	fi, err := files.Lstat(s.dir.Control())
	return err == nil && os.SameFile(fi, s.ctlFile)
}

// view maps the segment with this base offset. The error is fs.ErrNotExist when
// retention has removed it, and a *segment.HeaderError when it is unusable. Each
// view must be given back with release.
func (s *Source) view(base int64) (*view, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.views[base]; ok {
		v.refs++
		return v, nil
	}
	v, err := s.mapSegment(base)
	if err != nil {
		return nil, err
	}
	s.views[base] = v
	return v, nil
}

// mapSegment locks a segment's file and maps it. It looks after it has the lock
// whether the name still leads to that file: nobody recycles one that has its name,
// or one that somebody has locked. Without the lock there is no view.
func (s *Source) mapSegment(base int64) (*view, error) {
	f, err := filelock.OpenShared(s.dir.Segment(base), false)
	if err != nil {
		return nil, err
	}
	m := s.idle.take(f)
	seg, err := segment.RemapNamed(f, m, base, false)
	if err != nil && m != nil {
		m.Close()
	}
	if err == nil && (seg.LogID != s.meta.LogID || seg.Base != base) {
		seg.Close()
		err = &segment.HeaderError{Reason: "it belongs to another log or another offset"}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &view{Segment: seg, file: f, refs: 1}, nil
}

// release gives a view back.
func (s *Source) release(v *view) {
	if v != nil && s.isLast(v) {
		v.unmap()
	}
}

// leave is release for a reader that reads on in the next segment. The mapping is kept where
// it is likely to be wanted again, or else taken down by another goroutine: that takes the system
// some 250 ns for each page, milliseconds in which records come.
func (s *Source) leave(v *view) {
	if !s.isLast(v) {
		return
	}
	kept, over := s.idle.keep(v)
	if !kept {
		over = append(over, v)
	}
	if len(over) == 0 {
		return
	}
	s.leaving.Go(func() {
		for _, v := range over {
			v.unmap()
		}
	})
}

// isLast takes a user from v, and v out of the views if that was the last.
func (s *Source) isLast(v *view) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.refs--
	if v.refs > 0 {
		return false
	}
	delete(s.views, v.Base)
	return true
}

// unmap lets producers have the file only when nobody can look at it any more.
func (v *view) unmap() {
	v.Close()
	v.file.Close()
}

// Start returns the log start offset: of the oldest record that is kept.
func (s *Source) Start() (int64, error) {
	bases, err := s.row()
	if err != nil {
		return 0, err
	}
	if len(bases) == 0 {
		return s.emptyAt()
	}
	return bases[0], nil
}

// End returns the log end offset: the one that the next record will get.
func (s *Source) End() (end int64, err error) {
	v, c, err := s.tail()
	if err != nil {
		return 0, err
	}
	if v == nil {
		return s.emptyAt()
	}
	defer s.release(v)
	return v.Base + c.Count, nil
}

// Durable returns the offset below which all records are known to be on disk.
func (s *Source) Durable() (int64, error) {
	ctl, err := s.control()
	if err != nil {
		return 0, err
	}
	if ctl != nil {
		return ctl.DurableOffset()
	}
	v, err := s.lastMarked()
	if err != nil {
		return 0, err
	}
	if v == nil {
		return s.emptyAt()
	}
	defer s.release(v)
	var durable int64
	err = fault.Run(func() error {
		durable = v.Base + v.Durable().Count
		return nil
	})
	return durable, err
}

// Glance looks at all segments from outside: it returns those that cannot be
// mapped, and how many there are.
func (s *Source) Glance() (damage []*segment.DamageError, segments int, err error) {
	bases, err := s.row()
	if err != nil {
		return nil, 0, err
	}
	segments = len(bases)
	for _, base := range bases {
		v, err := s.view(base)
		switch {
		case err == nil:
			s.release(v)
		case errors.Is(err, fs.ErrNotExist):
			segments-- // it was there when we listed it: retention was quicker
		default:
			var d *segment.DamageError
			if err = s.unusable(base, err); !errors.As(err, &d) {
				return nil, 0, err
			}
			damage = append(damage, d)
		}
	}
	return damage, segments, nil
}
