package powercut

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
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
	// Images after whose recovery the log ends in a recycled segment, of these the ones
	// of a recovery, and those in which another segment is a recycled one.
	recycledEnds, recycledInRecovery, recycledSealed int
	failed                                           []string // what went wrong
	told                                             time.Time
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
	return y.claimed == y.want || len(y.failed) >= mostFailures
}

// mostFailures are enough to see what is wrong.
const mostFailures = 10

// fail notes a violation. It is an error of the test's only at its end, as a
// failed test could begin no more worlds. Those who watch a long run see it at once.
func (y *tally) fail(t *testing.T, message string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.failed = append(y.failed, message)
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

// count notes an image, what was going on when it was made, and whether the log's
// last segment, and another one, were recycled ones after its recovery.
func (y *tally) count(w *world, pending []string, end, sealed bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.images++
	if end {
		y.recycledEnds++
		if !w.opened {
			y.recycledInRecovery++
		}
	}
	if sealed {
		y.recycledSealed++
	}
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

// moments are what may be going on when the power is cut.
var moments = []string{"creation", "recovery 1", "recovery 2", "recovery 3", "roll", "sync", "sync of names", "drop", "commit", "combined append"}

func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	worlds := ""
	for depth, n := range y.worlds {
		worlds += fmt.Sprintf(" worlds_after_%d_cuts=%d", depth, n)
	}
	during := ""
	for _, what := range moments {
		during += fmt.Sprintf(" in_%s=%d", strings.ReplaceAll(what, " ", "_"), y.during[what])
	}
	return fmt.Sprintf("powercut: images=%d%s%s recycled_ends=%d recycled_ends_in_recovery=%d recycled_sealed=%d seed=%d seconds=%.0f violations=%d",
		y.images, worlds, during, y.recycledEnds, y.recycledInRecovery, y.recycledSealed, y.seed, time.Since(y.began).Seconds(), len(y.failed))
}

// demandCoverage asks that the cuts fell into all kinds of moments: a run that only
// ever cuts the power of a log at rest would find nothing. A short run need not meet
// each of them.
func (y *tally) demandCoverage() {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.images != y.want {
		y.t.Errorf("%d images were judged of %d", y.images, y.want)
	}
	const many, some = 1000, 300
	met := 0
	for _, what := range moments {
		if y.during[what] > 0 {
			met++
		} else if y.images >= many {
			y.t.Errorf("no image of a cut in %q", what)
		}
	}
	if y.images >= some && met < len(moments)-3 {
		y.t.Errorf("cuts in %d of %d kinds of moments only", met, len(moments))
	}
	if filelock.CanShare && y.images >= some {
		for what, n := range map[string]int{"ended in a recycled segment": y.recycledEnds, "had a recycled segment before the last one": y.recycledSealed} {
			if n < y.images/20 {
				y.t.Errorf("only %d of %d recovered images %s", n, y.images, what)
			}
		}
		if y.recycledInRecovery == 0 {
			y.t.Error("no image of a recovery ended in a recycled segment")
		}
	}
	if y.images >= some && len(y.worlds) <= y.deepest {
		y.t.Errorf("no world after %d cuts", y.deepest)
	}
}
