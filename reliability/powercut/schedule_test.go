package powercut

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// A scheduler lets one goroutine at a time go on from one call that changes a file
// to the next. While it decides, all are blocked, so what it sees of the disk and
// of the acknowledgements is of one instant, and the order of all that happens
// comes from the seed. It runs in a synctest bubble: the time is not the
// machine's, and passes when the scheduler says so.
type scheduler struct {
	disk *disk
	rng  *rand.Rand

	began   time.Time   // the bubble's, see isOurs
	judging atomic.Bool // an image's log is at work, not the world's

	// mu guards the rest, and disk, of those who run at the same time for a moment:
	// the one that was let on, and whom it wakes by a channel.
	mu      sync.Mutex
	waiting []*stop
	running int // actors that have not finished
	err     error
}

// A stop is where a goroutine waits to be let on.
type stop struct {
	what string
	open chan struct{}
}

// pause blocks until the scheduler picks the caller.
func (s *scheduler) pause(what string) {
	p := &stop{what, make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, p)
	s.mu.Unlock()
	<-p.open
}

// start runs an actor.
func (s *scheduler) start(name string, act func()) {
	s.mu.Lock()
	s.running++
	s.mu.Unlock()
	go func() {
		s.pause(name)
		act()
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
}

// run schedules until all actors have finished. between is called at each step,
// when everything stands still, with what the stopped ones are about to do.
func (s *scheduler) run(between func(pending []string)) error {
	for {
		synctest.Wait()
		s.look(false)
		pending, running, err := s.state()
		if err == nil { // else all go on to their ends, which a bubble asks for
			between(pending)
		}
		switch {
		case running == 0 && len(pending) == 0:
			return err
		case len(pending) == 0:
			time.Sleep(time.Millisecond)
		case s.rng.IntN(20) == 0:
			time.Sleep(time.Duration(1+s.rng.IntN(400)) * time.Millisecond)
		default:
			s.let(s.rng.IntN(len(pending)))
		}
	}
}

// state returns what the stopped ones are about to do, in an order that does not
// depend on the one in which they came: a channel lets several on at once.
func (s *scheduler) state() (pending []string, running int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.waiting, func(a, b *stop) int { return strings.Compare(a.what, b.what) })
	for _, p := range s.waiting {
		pending = append(pending, p.what)
	}
	return pending, s.running, s.err
}

// let has one of the stopped go on.
func (s *scheduler) let(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.waiting[i].open)
	s.waiting = slices.Delete(s.waiting, i, i+1)
}

// hook stands in for the engine's system calls. Those that change nothing pass.
func (s *scheduler) hook(c seam.Call, do func() error) error {
	what := c.Op + " " + s.plain(c.Path)
	switch c.Op {
	case "futex":
		if !s.isOurs() {
			// Not by the system: time stands still here while somebody sleeps there, and
			// who waits for a bound to pass would wait for ever.
			time.Sleep(10 * time.Millisecond)
			return syscall.ETIMEDOUT
		}
		// Nobody sleeps here: others go on when the scheduler lets them.
		s.pause(what)
		return syscall.ETIMEDOUT
	case "fdatasync", "fsync", "msync":
		return s.sync(c, what, do)
	case "write", "fallocate", "ftruncate":
		s.pause(what)
		s.look(false)
		err := do()
		// Zeroing by fallocate is seen as stores are, which may be torn more finely.
		s.look(c.Op == "write")
		return err
	case "rename", "unlink", "link", "mkdir":
		s.pause(what)
		return s.rescan(do)
	case "open":
		if s.isNamed(c.Path) {
			return do() // it makes nothing
		}
		s.pause(what)
		return s.rescan(do)
	}
	return do()
}

// spacing is the time between the clocks of worlds that run at once.
const spacing = 10_000 * time.Hour

// isOurs reports whether a call about no file comes from this world. All hooks
// are asked then, and the clocks tell the worlds apart.
func (s *scheduler) isOurs() bool {
	passed := time.Since(s.began)
	return !s.judging.Load() && passed >= 0 && passed < spacing
}

// sync has the model keep what was there when the call began, from when it has
// returned. Others may go on in between.
func (s *scheduler) sync(c seam.Call, what string, do func() error) error {
	s.pause("begin " + what)
	began := s.look(false)
	info, err := c.File.Stat()
	if err == nil {
		err = do()
	}
	s.pause("end " + what)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case info.IsDir():
		s.disk.syncedDir(c.Path, began)
	case c.Op == "msync":
		s.disk.syncedRange(info, began, c.From, c.To)
	default:
		s.disk.syncedFile(info, began)
	}
	return nil
}

func (s *scheduler) rescan(do func() error) error {
	err := do()
	s.mu.Lock()
	defer s.mu.Unlock()
	if serr := s.disk.scan(); serr != nil && s.err == nil {
		s.err = fmt.Errorf("look at the names: %w", serr)
	}
	s.disk.look(false)
	return err
}

// look notes what the files hold, and returns the moment.
func (s *scheduler) look(written bool) moment {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disk.look(written)
	return s.disk.now
}

func (s *scheduler) isNamed(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return path == s.disk.root || s.disk.named[s.below(path)] != nil
}

// fail notes the first error, after which nothing is judged any more.
func (s *scheduler) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err == nil {
		s.err = err
	}
}

func (s *scheduler) below(path string) string {
	if path == s.disk.root {
		return "."
	}
	return strings.TrimPrefix(path, s.disk.root+string(filepath.Separator))
}

// plain is a path without what differs from run to run.
func (s *scheduler) plain(path string) string {
	name, _, _ := strings.Cut(s.below(path), "~tmp-")
	return name
}
