package reader

import (
	"os"
	"slices"
	"sync"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/mapping"
	"github.com/seed27ccf144/mlog/segment"
)

// A log that is full goes on in the files of the segments that it drops. To map such a file
// anew, to fault its pages in and to take the mapping down again costs a reader that
// follows, and the core that it shares with the producer's keeper, more than a tenth of the time that
// it takes to read it. So the mappings of segments that the readers of a process have left
// are kept, where their files have come back before.

// idle are these mappings. Their files are not locked, so that they can be recycled,
// and so nobody looks into them until their file is locked again, under the name that it
// has by then. They are let go soon after the readers have ceased to go on, and at once where
// the file is removed: the disk has it back only then.
type idle struct {
	mu     sync.Mutex
	views  []*view     // in the order in which they were left
	giveUp *time.Timer // lets them go; nil before the first
	vain   bool        // they are too many to come back before there is no more room

	emptying sync.Mutex // held while they are let go
}

// idleFor is how long they are kept after the last one was left.
const idleFor = time.Second

// keep takes over a view that nobody uses any more, and reports whether it did. What is
// to be let go instead of it, it returns.
func (i *idle) keep(v *view) (kept bool, over []*view) {
	if v.Origin != segment.Recycled {
		return false, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.vain {
		return false, nil
	}
	i.views = slices.DeleteFunc(i.views, func(have *view) bool {
		gone := files.Unlinked(have.file)
		if gone {
			over = append(over, have)
		}
		return gone
	})
	if i.vain = !mapping.FitsIdle(int64(len(i.views)+1), v.Size); i.vain {
		over, i.views = append(over, i.views...), nil
		return false, over
	}
	var err error
	if v.info, err = v.file.Stat(); err != nil || filelock.Unshare(v.file) != nil {
		return false, over
	}
	i.views = append(i.views, v)
	if i.giveUp == nil {
		i.giveUp = time.AfterFunc(idleFor, i.empty)
	} else {
		i.giveUp.Reset(idleFor)
	}
	return true, over
}

// take returns the mapping of a file that somebody has just locked, or nil if it is not here.
func (i *idle) take(f *os.File) *mapping.Map {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.views) == 0 {
		return nil
	}
	fi, err := f.Stat()
	if err != nil {
		return nil
	}
	at := slices.IndexFunc(i.views, func(v *view) bool { return os.SameFile(v.info, fi) })
	if at < 0 {
		return nil
	}
	v := i.views[at]
	i.views = slices.Delete(i.views, at, at+1)
	v.file.Close() // the mapping stays, and f has the lock
	return v.Mapping()
}

// empty lets all of them go, one after the other: each takes milliseconds, in which a reader
// may want another one.
func (i *idle) empty() {
	i.emptying.Lock()
	defer i.emptying.Unlock()
	for {
		i.mu.Lock()
		if len(i.views) == 0 {
			i.mu.Unlock()
			return
		}
		v := i.views[0]
		i.views = slices.Delete(i.views, 0, 1)
		i.mu.Unlock()
		v.unmap()
	}
}

// close is empty for good: nothing is kept after it, and none is being let go when it
// returns.
func (i *idle) close() {
	i.mu.Lock()
	if i.giveUp != nil {
		i.giveUp.Stop()
	}
	i.mu.Unlock()
	i.empty()
}
