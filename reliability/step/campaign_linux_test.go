//go:build amd64 || arm64

package step

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A campaign is all kills of one operation.
type campaign struct {
	t     *testing.T
	op    *operation
	known *knownDeaths
	path  *path // nil: not known
	plan  []point

	mu sync.Mutex
	tally
	firstVisible int // least k after which the batch was in the log
	done         atomic.Int64
	failed       atomic.Bool
}

// randomAddresses says that children have other addresses each time.
var randomAddresses atomic.Bool

// onThread runs f on a thread of its own, which ends with it: what is changed of
// it here would surprise other goroutines.
func onThread(f func()) {
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread() // and never unlocked, so the thread ends
		// Children of this thread get the same addresses each time. Where that is
		// forbidden, some kills cannot be told to be at the planned instruction.
		const noRandomAddresses = 0x0040000
		if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, noRandomAddresses, 0, 0); errno != 0 {
			randomAddresses.Store(true)
		}
		f()
	})
	done.Wait()
}

func (c *campaign) run() {
	began := time.Now()
	err := c.explore()
	if errors.Is(err, errForbidden) {
		c.t.Skipf("%v; deaths at the engine's failpoints are tested by 'go test ./writer -run Killed\\|Dead'", err)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.firstVisible = -1
	var next atomic.Int64
	var all sync.WaitGroup
	for range *workers {
		all.Go(func() {
			onThread(func() {
				for i := next.Add(1) - 1; i < int64(len(c.plan)) && !c.failed.Load(); i = next.Add(1) - 1 {
					c.killAt(c.plan[i])
				}
			})
		})
	}
	stop := c.showProgress()
	all.Wait()
	stop()
	c.judgePlaces()
	c.judgeTimes()
	c.t.Logf("%v visible-from=%d %.1fs", &c.tally, c.firstVisible, time.Since(began).Seconds())
}

// explore has one child do the whole operation, to make the plan.
func (c *campaign) explore() (err error) {
	if *at != "" {
		m, err := parseMoment(*at)
		c.add(m)
		c.add(m)
		return err
	}
	onThread(func() {
		var dir string
		if dir, err = c.newDir(); err != nil {
			return
		}
		defer os.RemoveAll(filepath.Dir(dir))
		var s *scene
		s, err = c.op.setUp(dir, !c.op.missing, c.known)
		defer s.tearDown()
		if err != nil {
			return
		}
		w := &watch{words: openWords(dir), dir: dir, files: *stride == 0 && (c.op.long || underRace)}
		defer w.words.close()
		switch {
		case w.files:
			err = c.sampleCalls(s.child, w)
		case *stride > 0:
			if err = c.follow(s.child, func(int) {}); err == nil {
				c.planAll()
			}
		default:
			if err = c.follow(s.child, w.look); err == nil {
				c.sample(w.at)
			}
		}
	})
	return err
}

// follow steps through the whole operation. look is called after each number of
// instructions.
func (c *campaign) follow(t *tracee, look func(k int)) (err error) {
	c.path, err = t.follow(func(k int) bool {
		look(k)
		return false
	})
	if err == nil {
		c.instructions = c.path.length()
	}
	return err
}

func (c *campaign) newDir() (string, error) {
	parent, err := os.MkdirTemp("", "mlog-step-")
	return filepath.Join(parent, "log"), err
}

// killAt makes the kill of one point. A child that never came to the breakpoint on
// its route, as Go does not do all things at the same moment each time, was killed
// at the end; then another one is stepped all the way from the last system call.
func (c *campaign) killAt(p point) {
	r := c.path.route(p.moment)
	ended := c.killOn(r, p)
	if ended && r.times > 0 && p.k < c.path.length() {
		c.killOn(route{syscalls: p.syscalls, steps: p.steps}, p)
	}
}

// killOn makes one kill and counts it.
func (c *campaign) killOn(r route, p point) (ended bool) {
	const attempts = 3 // when the test was in its own way, which says nothing of the log
	for attempt := 1; ; attempt++ {
		dir, err := c.newDir()
		if err != nil {
			c.t.Error(err)
			return false
		}
		o, err := c.op.kill(dir, r, p.survive, c.known)
		if (errors.Is(err, errStalled) || errors.Is(err, errPassed)) && attempt < attempts {
			os.RemoveAll(filepath.Dir(dir))
			continue
		}
		c.count(p, o, err, dir)
		return o.ended
	}
}

func (c *campaign) count(p point, o outcome, err error, dir string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Add(1)
	c.kills++
	if err != nil {
		c.violations++
		kept := "not kept (-keep)"
		if *keep || *stride > 0 {
			kept = dir
		} else {
			os.RemoveAll(filepath.Dir(dir))
		}
		c.t.Errorf("killed at %v (survivor=%v): %v\nlog: %s\nrepeat: go test ./reliability/step -run Step -operations '^%s$' -at %v -keep",
			p.moment, p.survive, err, kept, c.op.name, p.moment)
		const tooMany = 10
		c.failed.Store(c.violations >= tooMany || *stride == 0)
		return
	}
	os.RemoveAll(filepath.Dir(dir))
	c.took = append(c.took, o.took)
	if o.ended {
		c.ended++
	}
	if o.visible && p.k >= 0 && (c.firstVisible < 0 || p.k < c.firstVisible) {
		c.firstVisible = p.k
	}
	if p.k >= 0 && (o.place == c.path.places[p.k] || o.ended && p.k == c.path.length()) {
		c.landed++
	}
}

// judgePlaces asks that the kills fell where they were to: a tracer that lets its
// children run on would find nothing.
func (c *campaign) judgePlaces() {
	planned := 0 // kills at instructions whose places are known
	for _, p := range c.plan {
		if p.k >= 0 {
			planned++
		}
	}
	switch {
	case c.kills == 0:
		c.t.Error("nothing was killed")
	case *at == "" && c.ended == c.kills:
		c.t.Errorf("all of %d kills came after the end of the operation", c.kills)
	case *at == "" && !c.failed.Load() && !randomAddresses.Load() && 2*c.landed < planned:
		c.t.Errorf("%d of %d kills were at the planned instruction", c.landed, planned)
	}
}

// judgeTimes holds the log to its bound. A machine with other work may keep any of
// us waiting, for a processor or, where files are made, for the disk; what the log itself
// takes, it takes each time. Of a few kills so each must be late, and of many most.
func (c *campaign) judgeTimes() {
	slow := 0
	for _, d := range c.took {
		if d > goOnBound {
			slow++
		}
	}
	const few = 10
	if slow > len(c.took)/2 && (slow == len(c.took) || len(c.took) >= few) {
		c.t.Errorf("%d of %d appends ended later than %v after the kill", slow, len(c.took), goOnBound)
	}
}

// showProgress reports now and then in the long form.
func (c *campaign) showProgress() (stop func()) {
	if *stride == 0 {
		return func() {}
	}
	const every = 15 * time.Second
	ticker, quit := time.NewTicker(every), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				fmt.Fprintf(os.Stderr, "%s: %d of %d kills\n", c.op.name, c.done.Load(), len(c.plan))
			case <-quit:
				ticker.Stop()
				return
			}
		}
	}()
	return func() { close(quit) }
}
