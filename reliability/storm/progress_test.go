//go:build unix

package storm

import (
	"fmt"
	"slices"
	"sort"
	"time"
)

// survivorBound is what the log promises: after a death the others go on within
// this time.
const survivorBound = 50 * time.Millisecond

// A progress is how long survivors took to append again after deaths.
type progress struct {
	first []wait // of each death: the first survivor to append
	last  []wait // of each death: the last of them to do so
	held  []wait // the same, of each death of one that held the lock
}

// A wait is what a survivor took after a death.
type wait struct {
	took     time.Duration
	withheld time.Duration // of that, by the machine: see bare_test.go
}

func (w wait) onClock() time.Duration   { return w.took }
func (w wait) onMachine() time.Duration { return w.took - w.withheld }

// times returns what the waits took by this measure.
func times(waits []wait, measure func(wait) time.Duration) []time.Duration {
	var times []time.Duration
	for _, w := range waits {
		times = append(times, measure(w))
	}
	return times
}

// A worker is a producer with its acknowledgements in the order of their times.
type worker struct {
	p       *process
	entries []entry
}

// measure takes in the deaths of a round. Not counted are deaths after which
// somebody was stopped before the survivors went on: a process that is stopped
// while it holds the lock holds up all others, and that is right.
func (g *progress) measure(l *life, reports map[*process][]entry) {
	var workers []worker
	for p, entries := range reports {
		if progresses[p.Role] && len(entries) > 0 {
			sort.Slice(entries, func(i, j int) bool { return entries[i].End < entries[j].End })
			workers = append(workers, worker{p, entries})
		}
	}
	for _, death := range l.deaths {
		var waits []time.Duration
		for _, w := range workers {
			if wait, ok := w.waited(death.at); ok {
				waits = append(waits, wait)
			}
		}
		if len(waits) == 0 {
			continue
		}
		longest := slices.Max(waits)
		if l.anyStopped(death.at, death.at.Add(longest)) {
			continue
		}
		measured := func(took time.Duration) wait {
			return wait{took, withheld(reports[l.bare], death.at, death.at.Add(took))}
		}
		last := measured(longest)
		g.first = append(g.first, measured(slices.Min(waits)))
		g.last = append(g.last, last)
		if death.held {
			g.held = append(g.held, last)
		}
	}
}

// waited returns how long after a death the first append of this producer ended
// that began after the death. It reports false of one that was not at work then,
// or that was killed, or told to leave, before the bound.
func (w worker) waited(death time.Time) (time.Duration, bool) {
	at := death.UnixNano()
	i := sort.Search(len(w.entries), func(i int) bool { return w.entries[i].End >= at })
	if i == 0 {
		return 0, false
	}
	for ; i < len(w.entries); i++ {
		if w.entries[i].Begin >= at {
			return time.Duration(w.entries[i].End - at), true
		}
	}
	over := w.p.killed
	if over.IsZero() {
		over = w.p.told
	}
	waited := over.Sub(death) // or longer: it never came to append
	return waited, waited > survivorBound
}

func (l *life) anyStopped(from, to time.Time) bool {
	for _, p := range l.all() {
		for _, s := range p.stops {
			if s.from.Before(to) && (s.to.IsZero() || s.to.After(from)) {
				return true
			}
		}
	}
	return false
}

func (g *progress) String() string {
	describe := func(waits []wait) string {
		took, onMachine := times(waits, wait.onClock), times(waits, wait.onMachine)
		return fmt.Sprintf("median=%v p99=%v max=%v (%d deaths; without what the machine withheld median=%v max=%v)",
			quantile(took, 0.5), quantile(took, 0.99), quantile(took, 1), len(waits), quantile(onMachine, 0.5), quantile(onMachine, 1))
	}
	return fmt.Sprintf("first survivor appended after %s, last survivor after %s, last survivor of a death with the lock after %s",
		describe(g.first), describe(g.last), describe(g.held))
}

// quantile returns the time within which this part of the waits ended.
func quantile(waits []time.Duration, part float64) time.Duration {
	if len(waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(waits))
	return sorted[int(part*float64(len(sorted)-1))].Round(10 * time.Microsecond)
}
