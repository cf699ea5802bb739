package damage

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	every   = flag.Bool("every", false, "the long form: each byte and each sector, not a sample")
	seed    = flag.Uint64("seed", 1, "where all random choices come from")
	deep    = flag.Int("deep", 64, "with -every, append to and repair each n-th log whose batches were harmed; headers and small files always")
	stride  = flag.Int("stride", 1, "with -every, flip a bit of each n-th byte only where none has a meaning by itself: within bodies, and behind the last batch")
	several = flag.Int("several", 0, "logs with several damages at once; 0: a sample")
	only    = flag.String("only", "", "do nothing but mutations whose description this regular expression matches, and use each log, to repeat a failure")
	workers = flag.Int("workers", runtime.GOMAXPROCS(0), "logs at a time")
)

// A sweep is one run over many mutations.
type sweep struct {
	*template
	parent string // of the directories
	tally  *tally
}

func newSweep(t *testing.T) *sweep {
	t.Helper()
	parent := memory(t)
	return &sweep{template: newTemplate(t, filepath.Join(parent, "template"), *seed), parent: parent, tally: newTally()}
}

// memory returns a directory that is gone after the test, in memory where the
// system has one: the sweep writes much and means none of it to last.
func memory(t *testing.T) string {
	t.Helper()
	if fi, err := os.Stat("/dev/shm"); err == nil && fi.IsDir() {
		if dir, err := os.MkdirTemp("/dev/shm", "mlog-damage-"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return t.TempDir()
}

// A task is a mutation and how thoroughly it is judged.
type task struct {
	mutation
	class string
	deep  bool
	draw  uint64
}

// TestSweep does one harm at a time.
func TestSweep(t *testing.T) {
	s := newSweep(t)
	rng, wanted := rand.New(rand.NewPCG(*seed, 2)), regexp.MustCompile(*only)
	var tasks []task
	for _, h := range s.choose(rng) {
		for _, rebooted := range []bool{false, true} {
			m := mutation{harms: []harm{h}, rebooted: rebooted}
			if !wanted.MatchString(m.String()) {
				continue
			}
			tasks = append(tasks, task{
				mutation: m, class: s.kindOf(h.file) + ", " + h.how,
				deep: *only != "" || s.isDeep(h, rng), draw: rng.Uint64(),
			})
		}
	}
	s.run(t, tasks)
}

// choose returns the harms to be done: all, or a sample of each kind of file and
// harm, half of it where the meaning is densest.
func (s *sweep) choose(rng *rand.Rand) []harm {
	all := s.harms(rng)
	if *every || *only != "" {
		return s.thinned(all)
	}
	sample := fewer(12)
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var chosen []harm
	taken := make(map[string]int)
	for _, h := range all {
		class := fmt.Sprint(s.kindOf(h.file), h.how, s.isDense(h))
		if taken[class]++; taken[class] <= sample {
			chosen = append(chosen, h)
		}
	}
	return chosen
}

// fewer returns how many samples to take.
func fewer(samples int) int {
	if underRace {
		return samples / 4
	}
	return samples
}

// thinned leaves out the flips that -stride says.
func (s *sweep) thinned(all []harm) []harm {
	var kept []harm
	for _, h := range all {
		if h.how != "flip" || s.isDense(h) || h.at%int64(*stride) == 0 {
			kept = append(kept, h)
		}
	}
	return kept
}

// isDense reports whether the harm hits words that mean something by themselves:
// a header, the marks in it, the header of a batch.
func (s *sweep) isDense(h harm) bool {
	if !strings.HasSuffix(h.file, ".seg") {
		return h.at < sectorBytes && h.file != "wake" && h.file != "spare"
	}
	if h.at < sectorBytes || h.at >= 2048 && h.at < 2048+80 {
		return true
	}
	for _, b := range s.batches {
		if b.file == h.file && h.at >= b.from && h.at < b.from+32 {
			return true
		}
		if b.file == h.file && b.to == h.at&^7 { // what follows the last one
			return true
		}
	}
	return false
}

func (s *sweep) isDeep(h harm, rng *rand.Rand) bool {
	if !*every {
		return rng.IntN(5) == 0
	}
	return h.how != "flip" || s.isDense(h) && h.at < 4096 || rng.IntN(*deep) == 0
}

// TestSeveral does some harms at once.
func TestSeveral(t *testing.T) {
	s := newSweep(t)
	rng, wanted := rand.New(rand.NewPCG(*seed, 3)), regexp.MustCompile(*only)
	all := s.harms(rng)
	var dense []harm
	for _, h := range all {
		if s.isDense(h) {
			dense = append(dense, h)
		}
	}
	n := *several
	if n == 0 {
		n = fewer(100)
	}
	var tasks []task
	for range n {
		m := mutation{rebooted: rng.IntN(2) == 0}
		for range 2 + rng.IntN(4) {
			from := all
			if rng.IntN(2) == 0 {
				from = dense
			}
			m.harms = append(m.harms, from[rng.IntN(len(from))])
		}
		k := task{mutation: m, class: "several at once", deep: rng.IntN(4) == 0 || *only != "", draw: rng.Uint64()}
		if wanted.MatchString(m.String()) {
			tasks = append(tasks, k)
		}
	}
	s.run(t, tasks)
}

// run judges the tasks, several logs at a time.
func (s *sweep) run(t *testing.T, tasks []task) {
	queue := make(chan task)
	var group sync.WaitGroup
	for range *workers {
		group.Go(func() {
			if err := s.work(queue); err != nil {
				t.Error(err)
			}
			for range queue { // the others go on after an error
			}
		})
	}
	for _, k := range tasks {
		queue <- k
		s.tally.progress(t, len(tasks))
	}
	close(queue)
	group.Wait()
	s.tally.report(t)
	s.tally.progress(t, len(tasks))
	if *only == "" {
		s.tally.demandFound(t)
	}
	if n := len(s.tally.failures); n > 0 {
		t.Errorf("%d mutations with violations; -seed %d -every -only DESCRIPTION repeats one of this table", n, *seed)
	}
	t.Logf("%s: seed=%d mutations=%d violations=%d in %v", t.Name(), *seed, len(tasks), len(s.tally.failures), time.Since(s.tally.began).Round(time.Second))
}

// work judges tasks, those that change nothing in one directory for all.
func (s *sweep) work(queue <-chan task) error {
	var worlds [2]*world
	for i := range worlds {
		w, err := newWorld(s.template, s.parent, i == 1)
		if err != nil {
			return err
		}
		worlds[i] = w
	}
	for k := range queue {
		w := worlds[0]
		if k.rebooted {
			w = worlds[1]
		}
		o, err := s.judge(w, k)
		if err != nil {
			return fmt.Errorf("%v: %w", k.mutation, err)
		}
		s.tally.add(o)
	}
	return nil
}

func (s *sweep) judge(w *world, k task) (outcome, error) {
	o := outcome{mutation: k.mutation, class: k.class}
	watchdog := time.AfterFunc(4*patience, func() { panic(fmt.Sprintf("%v: no end", k.mutation)) })
	defer watchdog.Stop()
	var seeks *rand.Rand
	if k.deep || k.draw%8 == 0 {
		seeks = rand.New(rand.NewPCG(k.draw, 4))
	}
	edits, may, err := w.harm(k.mutation)
	if err != nil {
		return o, err
	}
	o.looked = w.judge(may, seeks)
	if err := w.undo(edits); err != nil || !k.deep {
		return o, err
	}
	err = s.once(k.mutation, func(w *world, may loss) {
		o.used = new(verdict)
		o.refused = w.produce(may, o.used)
	})
	if err != nil {
		return o, err
	}
	return o, s.once(k.mutation, func(w *world, may loss) {
		o.mended = new(verdict)
		o.unmended, o.repaired = w.mend(may, o.mended)
	})
}

// once does the mutation to a log that is thrown away afterwards.
func (s *sweep) once(m mutation, use func(*world, loss)) error {
	w, err := newWorld(s.template, s.parent, m.rebooted)
	if err != nil {
		return err
	}
	defer w.remove()
	_, may, err := w.harm(m)
	if err == nil {
		use(w, may)
	}
	return err
}
