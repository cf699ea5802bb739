package powercut

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed27ccf144/mlog/internal/seam"
)

// A world is one log's life until it ends or the power goes: its making, or its
// recovery from an image, and then a load. Images are made all along.
type world struct {
	seed   uint64
	depth  int // how many cuts lie before it
	worker int // which of those that run at once
	plan   plan
	rng    *rand.Rand
	root   string // with its disk
	log    string // the directory
	disk   *disk
	sched  *scheduler
	mu     sync.Mutex
	ledger *ledger // guarded by mu while actors run
	tally  *tally
	opened bool // made, or recovered
	images int
	// heir is the image that the next world begins with, and its ledger.
	heir   *image
	legacy *ledger
}

// most is how many images are made of one world, and mostUnopened before its load.
const (
	most         = 20
	mostUnopened = 8
)

// live runs the worlds of one seed, each but the first begun from an image of the
// one before.
func live(t *testing.T, base string, worker int, seed uint64, tally *tally) {
	w := &world{seed: seed, worker: worker, ledger: newLedger(seed), tally: tally}
	for depth := 0; depth <= tally.deepest && w != nil; depth++ {
		w.depth = depth
		w.rng = rand.New(rand.NewPCG(seed, uint64(depth)))
		w.root = filepath.Join(base, fmt.Sprintf("world-%d", depth))
		synctest.Test(t, func(t *testing.T) { w.run(t) })
		os.RemoveAll(w.root)
		if w.heir == nil {
			return
		}
		w = &world{seed: seed, worker: worker, ledger: w.legacy, tally: tally, heir: w.heir}
	}
}

func (w *world) run(t *testing.T) {
	t.Helper()
	begin := w.heir
	w.heir = nil
	if begin == nil {
		begin = &image{}
	}
	if err := begin.write(w.root); err != nil {
		t.Fatal(err)
	}
	w.log = filepath.Join(w.root, logName)
	w.plan = drawPlan(w.rng)
	w.disk = newDisk(t, w.root)
	defer w.disk.close()
	time.Sleep(time.Duration(w.worker) * spacing)
	w.sched = &scheduler{disk: w.disk, rng: w.rng, began: time.Now()}
	time.Sleep(time.Duration(w.depth) * time.Hour) // no two recoveries of a log are of the same time
	defer seam.Watch(w.root, w.sched.hook)()
	w.ledger.retain(w.plan.retention)
	w.sched.start("opener", func() { w.sched.fail(w.open()) })
	if err := w.sched.run(func(pending []string) { w.between(t, pending) }); err != nil {
		w.tally.fail(t, fmt.Sprintf("world %d, after %d cuts, with %+v: %v", w.seed, w.depth, w.plan, err))
		return
	}
	w.tally.addWorld(w.depth)
}

// open makes or recovers the log, and then lets the load begin.
func (w *world) open() error {
	first, err := openProducer(w.log, w.plan.options())
	if err != nil {
		return err
	}
	r, err := readRow(first.log, new(arena))
	if err == nil {
		err = w.ledger.check(r)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("after recovery: %w", err), first.log.Close())
	}
	w.ledger.adopt(r)
	w.opened = true
	producers := []*producer{first}
	for range w.plan.logs - 1 {
		p, err := openProducer(w.log, w.plan.options())
		if err != nil {
			return errors.Join(err, first.log.Close())
		}
		producers = append(producers, p)
	}
	for i := range w.plan.actors {
		p := producers[i%len(producers)]
		if i >= len(producers) {
			p.users++
		}
		a := &actor{w: w, rng: rand.New(rand.NewPCG(w.rng.Uint64(), uint64(i))), name: fmt.Sprintf("actor%d", i), p: p,
			alone: i+len(producers) >= w.plan.actors && i < len(producers)}
		w.sched.start(a.name, func() { w.sched.fail(a.act()) })
	}
	return nil
}

// between is called when everything stands still: it may cut the power.
func (w *world) between(t *testing.T, pending []string) {
	w.mu.Lock()
	w.ledger.see(w.log)
	w.mu.Unlock()
	if w.images >= most || !w.opened && w.images >= mostUnopened || w.rng.IntN(200) >= w.likely() {
		return
	}
	for range 1 + w.rng.IntN(3) {
		if !w.tally.claim() {
			return
		}
		w.images++
		im := w.disk.cut(w.rng, w.rng.IntN(2) == 0)
		j := &judge{dir: filepath.Join(w.root+"-image", "log"), ledger: w.ledger, tally: w.tally, seed: w.rng.Uint64()}
		w.sched.judging.Store(true)
		err := j.judge(im)
		w.sched.judging.Store(false)
		if err != nil {
			kept := w.tally.keep(filepath.Dir(j.dir), im)
			w.tally.fail(t, fmt.Sprintf("world %d, after %d cuts, image %d, while %s:\n%v\nthe image, before and after recovery, is in %s\n%v",
				w.seed, w.depth, w.images, strings.Join(pending, ", "), err, kept, im))
		}
		os.RemoveAll(filepath.Dir(j.dir))
		w.tally.count(w, pending, j.recycledEnd, j.recycledSealed)
		if w.heir == nil || w.rng.IntN(8) == 0 || j.recycledEnd && w.rng.IntN(2) == 0 {
			w.heir, w.legacy = im, w.ledger.clone()
		}
	}
}

// likely is how many of 200 steps are followed by a cut. A world whose segments are
// soon full is mostly left alone until the log goes on in a file that it has used
// before, and cut all the more often then.
func (w *world) likely() int {
	switch {
	case !w.opened:
		return 30
	case w.plan.sizes == mixed:
		return 6
	case endsRecycled(w.log):
		return 20
	}
	return 1
}
