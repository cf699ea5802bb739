package writer

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// A mapped is a segment file that is open and mapped for writing. It outlives the
// segments that the file becomes, one after the other: to map a file anew, and to
// fault its pages in, costs more than to fill them.
type mapped struct {
	file *os.File
	info fs.FileInfo
	m    *mapping.Map
	refs atomic.Int32
	// ready says how many bytes of it have pages that are present and writable in
	// this process, as far as it knows.
	ready atomic.Int64
	// partly says that pages before that are not: the segment was opened when it had
	// some batches already.
	partly atomic.Bool
}

func newMapped(f *os.File, m *mapping.Map) (*mapped, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	x := &mapped{file: f, info: fi, m: m}
	x.refs.Store(1)
	return x, nil
}

func (x *mapped) retain() *mapped {
	x.refs.Add(1)
	return x
}

func (x *mapped) release() {
	if x.refs.Add(-1) != 0 {
		return
	}
	if x.m != nil {
		x.m.Close() // before the lock goes with the file
	}
	x.file.Close()
}

// share locks a file that has not got a segment's name yet.
func (x *mapped) share() error {
	got, err := filelock.Share(x.file)
	if err == nil && !got {
		err = fmt.Errorf("%s: another program holds an exclusive lock on it", x.file.Name())
	}
	return err
}

// maps are the files that this process has mapped and does not use: those that
// segments left behind, and those made ready for the next. They are not locked,
// and so nobody may look into them or store to them, until what has become of the
// file is locked again (see openHandle): another process may be using it for
// another segment. To populate its pages changes nothing.
type maps struct {
	wanted atomic.Bool // files that segments leave behind will come back
	mu     sync.Mutex
	idle   []*mapped // the newest last
}

// keep takes x over, and returns what there is no more room for, which the caller
// releases where it holds nobody up.
func (s *maps) keep(x *mapped) (over *mapped) {
	_ = filelock.Unshare(x.file) // or it will not be recycled
	if x.partly.Swap(false) {
		x.ready.Store(0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, x)
	if !mapping.FitsIdle(int64(len(s.idle)), x.info.Size()) {
		over = s.idle[0]
		s.idle = append(s.idle[:0], s.idle[1:]...)
	}
	return over
}

// take hands over the mapping of the file that fi describes; nil if there is none.
func (s *maps) take(fi fs.FileInfo) *mapped {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range s.idle {
		if os.SameFile(x.info, fi) {
			s.idle = append(s.idle[:i], s.idle[i+1:]...)
			return x
		}
	}
	return nil
}

// find is take for one who only populates it, and releases it then.
func (s *maps) find(fi fs.FileInfo) *mapped {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.idle {
		if os.SameFile(x.info, fi) {
			return x.retain()
		}
	}
	return nil
}

// releaseUnlinked releases the files that others have removed: nobody will come for
// them, and the disk has them back only when all have unmapped them. It may take
// milliseconds for each. A roll that comes meanwhile does not wait for it.
func (s *maps) releaseUnlinked() {
	s.mu.Lock()
	idle := slices.Clone(s.idle)
	for _, x := range idle {
		x.retain()
	}
	s.mu.Unlock()
	for _, x := range idle {
		if files.Unlinked(x.file) && s.drop(x) {
			x.release()
		}
		x.release()
	}
}

// drop takes x out, if it is still there, for the caller to release.
func (s *maps) drop(x *mapped) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.idle, x)
	if i >= 0 {
		s.idle = slices.Delete(s.idle, i, i+1)
	}
	return i >= 0
}

// empty releases all.
func (s *maps) empty() {
	s.mu.Lock()
	idle := s.idle
	s.idle = nil
	s.mu.Unlock()
	for _, x := range idle {
		x.release()
	}
}

func (s *maps) isEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.idle) == 0
}
