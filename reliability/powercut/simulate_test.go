package powercut

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seed    = flag.Uint64("seed", 1, "where all random choices come from")
	images  = flag.Int("images", 0, "images to make and judge; 0: a few hundred")
	keep    = flag.String("keep", "", "directory for images that fail; by default that for temporary files")
	only    = flag.Uint64("world", 0, "run this world alone, as a failure named it")
	workers = flag.Int("workers", runtime.GOMAXPROCS(0), "worlds at a time")
)

// TestSimulated cuts the power at seeded instants, in images. The long form:
//
//	go test ./reliability/powercut -run Simulated -images 100000 -seed 7 -v -timeout 0
//
// A failure keeps the image that it is about, as it was and as it was recovered,
// and names its world, which -world repeats alone: the same plan with the same
// choices. The steps are the same too, but where Go itself draws lots, between
// channels that are ready at once.
func TestSimulated(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the model of the disk keeps files open while they are renamed, which this system does not allow")
	}
	y := &tally{t: t, began: time.Now(), seed: *seed, want: *images, deepest: 3, keepDir: *keep, during: make(map[string]int)}
	if y.want == 0 {
		y.want = fewImages
	}
	base := scratch(t)
	var next atomic.Uint64
	t.Run("worlds", func(t *testing.T) {
		for n := range *workers {
			t.Run(strconv.Itoa(n), func(t *testing.T) {
				t.Parallel()
				for !y.enough() {
					world := *seed<<32 + next.Add(1)
					if *only != 0 {
						world = *only
					}
					dir := filepath.Join(base, strconv.FormatUint(world, 10))
					live(t, dir, n, world, y)
					os.RemoveAll(dir)
					y.progress(t)
					if *only != 0 {
						return
					}
				}
			})
		}
	})
	for _, message := range y.failed {
		t.Error(message)
	}
	if *only == 0 && len(y.failed) == 0 {
		y.demandCoverage()
	}
	t.Log(y)
}

// progress says now and then how far it is.
func (y *tally) progress(t *testing.T) {
	y.mu.Lock()
	due := time.Since(y.told) > 20*time.Second && *images > 0
	if due {
		y.told = time.Now()
	}
	n := y.images
	y.mu.Unlock()
	if due {
		t.Logf("%d images of %d, %.0f a second", n, y.want, float64(n)/time.Since(y.began).Seconds())
	}
}

// scratch is a directory in memory where there is one, as nothing here has to
// reach a real disk.
func scratch(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "powercut-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}
