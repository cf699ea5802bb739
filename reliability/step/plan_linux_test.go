//go:build amd64 || arm64

package step

// A point is one kill to be made.
type point struct {
	moment
	survive bool
}

// add plans a kill. In turns the log is gone on with by a process that had it open
// and by one that had not.
func (c *campaign) add(m moment) {
	c.plan = append(c.plan, point{m, len(c.plan)%2 == 1 && !c.op.missing})
}

// planAll plans every stride-th instruction, and the end.
func (c *campaign) planAll() {
	n := c.path.length()
	for k := 0; k < n; k += *stride {
		if *laps > 0 && c.path.times[k] > *laps {
			c.passed++
			continue
		}
		c.add(c.path.moment(k))
	}
	c.add(c.path.moment(n))
}

// sample plans some instructions evenly spaced, some behind a store to the shared
// words, and the end.
func (c *campaign) sample(changes []int) {
	n, even := c.path.length(), fewer(evenSamples)
	for i := range even {
		c.add(c.path.moment(n * (2*i + 1) / (2 * even)))
	}
	for _, k := range someOf(changes) {
		c.add(c.path.moment(k))
	}
	c.add(c.path.moment(n))
}

// sampleCalls plans some instructions at various distances behind system calls
// evenly spaced, some system calls behind which something has changed, and the end.
func (c *campaign) sampleCalls(t *tracee, w *watch) error {
	w.look(0)
	n, err := t.countSyscalls(w.look)
	even := fewer(evenSamples)
	for i := range even {
		const distance = 71 // any number that makes the distances different
		c.add(moment{syscalls: n * (2*i + 1) / (2 * even), steps: i * distance, k: -1})
	}
	for _, n := range someOf(w.at) {
		c.add(moment{syscalls: n, k: -1})
	}
	c.add(moment{syscalls: n + 1, k: -1})
	return err
}

// someOf returns changeSamples of the numbers, or all if there are no more.
func someOf(all []int) []int {
	n := min(fewer(changeSamples), len(all))
	some := make([]int, n)
	for i := range some {
		some[i] = all[i*len(all)/n]
	}
	return some
}

// fewer returns how many samples to take. The race detector finds nothing in
// processes that each have one thread, and makes them slow.
func fewer(samples int) int {
	if underRace {
		return 1
	}
	return samples
}
