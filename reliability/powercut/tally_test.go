package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A tally counts what was done, and says when it is enough.
type tally struct {
	t       *testing.T
	began   time.Time
	seed    uint64
	want    int
	deepest int
	keepDir string // where images that failed are kept; "" for that of temporary files

	mu      sync.Mutex
	claimed int
	images  int
	worlds  []int // by the number of cuts before them
	during  map[string]int
	failed  int
	told    time.Time
}

// claim reports whether another image is wanted.
func (y *tally) claim() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.claimed == y.want {
		return false
	}
	y.claimed++
	return true
}

func (y *tally) enough() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.claimed == y.want || y.failed >= mostFailures
}

// mostFailures are enough to see what is wrong.
const mostFailures = 10

// fail notes a violation. It is an error of the test's only at its end, as a
// failed test could begin no more worlds.
func (y *tally) fail(t *testing.T, message string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.failed++
	t.Log(message)
}

func (y *tally) addWorld(depth int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for len(y.worlds) <= depth {
		y.worlds = append(y.worlds, 0)
	}
	y.worlds[depth]++
}

// count notes an image, and what was going on when it was made.
func (y *tally) count(w *world, pending []string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.images++
	switch {
	case !w.opened && w.depth == 0:
		y.during["creation"]++
	case !w.opened:
		y.during[fmt.Sprintf("recovery %d", w.depth)]++
	}
	for what, sign := range map[string]string{"sync": "end fd", "sync of names": "end fs", "roll": "unfinished", "drop": "unlink log/0", "commit": "write log/groups", "combined append": "futex"} {
		for _, p := range pending {
			if w.opened && strings.Contains(p, sign) {
				y.during[what]++
				break
			}
		}
	}
}

// keep moves what is left of an image that failed to where it stays.
func (y *tally) keep(dir string, im *image) string {
	y.mu.Lock()
	defer y.mu.Unlock()
	kept, err := os.MkdirTemp(y.keepDir, "powercut-")
	if err == nil {
		err = im.write(filepath.Join(kept, "image"))
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(kept, "recovered"), os.DirFS(dir))
	}
	if err != nil {
		return err.Error()
	}
	return kept
}

func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	worlds := ""
	for depth, n := range y.worlds {
		worlds += fmt.Sprintf(" worlds_after_%d_cuts=%d", depth, n)
	}
	during := ""
	for _, what := range []string{"creation", "recovery 1", "recovery 2", "recovery 3", "roll", "sync", "sync of names", "drop", "commit", "combined append"} {
		during += fmt.Sprintf(" in_%s=%d", strings.ReplaceAll(what, " ", "_"), y.during[what])
	}
	return fmt.Sprintf("powercut: images=%d%s%s seed=%d seconds=%.0f violations=%d",
		y.images, worlds, during, y.seed, time.Since(y.began).Seconds(), y.failed)
}
