package faults_test

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// sampled is how many faults the short form plays.
const sampled = 60

// Each call of the system that the engine makes fails in turn: in each scenario
// each call, with each error, in each manner. See doc.go for what is asked then.
func TestSeam(t *testing.T) {
	root := workRoot(t)
	filter, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	type fault struct {
		s scenario
		f failure
	}
	var all []fault
	calls := 0
	for _, s := range slices.Concat(scenarios, readingScenarios, systemScenarios) {
		for _, call := range countCalls(t, root, s) {
			calls++
			for _, errno := range errnos {
				for _, m := range manners {
					if m == late && !slices.Contains(mayBeLate, call.op) || m == onward && slices.Contains(oncers, call.op) {
						continue
					}
					f := fault{s, failure{call, errno, m}}
					if filter.MatchString(s.name + "/" + f.f.String()) {
						all = append(all, f)
					}
				}
			}
		}
	}
	found := len(all)
	if !*every {
		all = sample(all, func(f fault) string { return f.s.name + "/" + f.f.String() })
	}
	var sum summary
	began, told := time.Now(), time.Now()
	for i, f := range all {
		sum.add(t, f.s.name+"/"+f.f.String(), play(t, root, i, f.s, f.f))
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			t.Logf("%d of %d: %v", i+1, len(all), &sum)
		}
	}
	if *only == "" && 4*sum.missed > sum.played {
		t.Errorf("%d of %d calls were not made when they were to fail", sum.missed, sum.played)
	}
	t.Logf("seam: seed=%d calls=%d faults=%d of %d, %v, %v", *seed, calls, len(all), found, &sum, time.Since(began).Round(time.Second))
}

// sample draws faults by their names and the seed alone: how many calls there are
// differs from run to run, as some are made in the background, and a draw from the
// whole would differ with it.
func sample[F any](all []F, name func(F) string) []F {
	type drawn struct {
		lot   uint64
		fault F
	}
	var lots []drawn
	for _, f := range all {
		h := fnv.New64a()
		fmt.Fprint(h, *seed, "/", name(f))
		// The hash of a name is near that of a similar one; the generator's are not.
		lots = append(lots, drawn{rand.New(rand.NewPCG(*seed, h.Sum64())).Uint64(), f})
	}
	slices.SortStableFunc(lots, func(a, b drawn) int { return cmp.Compare(a.lot, b.lot) })
	var chosen []F
	for _, l := range lots[:min(len(lots), fewer(sampled))] {
		chosen = append(chosen, l.fault)
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

// countCalls runs a scenario without a fault, and returns the calls it makes.
func countCalls(t *testing.T, root string, s scenario) []target {
	dir, remove := workDir(t, root, "count "+s.name)
	w := newWorld(t, filepath.Join(dir, "world"))
	s.prepare(w)
	in := inject(w.root, nil)
	s.run(w)
	settle(in)
	in.stop()
	w.close()
	if len(w.errs) > 0 || len(w.breaches) > 0 || w.logs.warned() && s.name != "reboot, torn" && s.name != "reboot, segments behind the end" {
		t.Fatalf("%s without a fault: %v\n%s\n%s", s.name, w.errs, strings.Join(w.breaches, "\n"), &w.logs)
	}
	remove(false)
	return in.targets()
}

// settle waits until no more calls are made in the background.
func settle(in *injector) {
	const pause, most = time.Millisecond, 200
	for range most {
		seen := in.total()
		time.Sleep(pause)
		if in.total() == seen {
			return
		}
	}
}

// An outcome is how one fault went.
type outcome struct {
	breaches []string
	missed   bool   // the call was not made this time
	poisoned bool   // a sync had failed: nobody may append until the next boot
	silence  string // why nobody was told
}

// play runs a scenario with one fault, and judges what comes of it.
func play(t *testing.T, root string, number int, s scenario, f failure) outcome {
	dir, remove := workDir(t, root, fmt.Sprint(number))
	goroutines := runtime.NumGoroutine()
	done := make(chan outcome, 1)
	go func() {
		w := newWorld(t, filepath.Join(dir, "world"))
		s.prepare(w)
		for _, err := range w.errs {
			w.breach("before any fault: %v", err)
		}
		prepared := w.logs.String()
		in := inject(w.root, &f)
		s.run(w)
		settle(in)
		in.stop()
		j := judge{world: w, scenario: s.name, failure: f, failed: in.hits(), said: strings.TrimPrefix(w.logs.String(), prepared), scratch: dir, goroutines: goroutines}
		done <- j.outcome()
	}()
	select {
	case o := <-done:
		remove(len(o.breaches) > 0)
		return o
	case <-time.After(2 * patience):
		stacks := make([]byte, 1<<20)
		t.Fatalf("%s/%v: it hangs\n%s", s.name, f, stacks[:runtime.Stack(stacks, true)])
		return outcome{}
	}
}

// A summary counts outcomes.
type summary struct {
	played, missed, poisoned, silent, breaches int
}

func (s *summary) add(t *testing.T, name string, o outcome) {
	s.played++
	if o.missed {
		s.missed++
	}
	if o.poisoned {
		s.poisoned++
	}
	if o.silence != "" {
		s.silent++
	}
	if len(o.breaches) > 0 {
		s.breaches++
		t.Errorf("%s:\n\t%s", name, strings.Join(o.breaches, "\n\t"))
	}
}

func (s *summary) String() string {
	return fmt.Sprintf("played=%d not-reached=%d poisoned=%d harmless=%d violations=%d", s.played, s.missed, s.poisoned, s.silent, s.breaches)
}
