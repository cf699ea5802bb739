//go:build linux

package soak

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// counts are what a process has of things that must not add up.
type counts struct {
	Threads     int
	Descriptors int
	Mappings    int // of files below the logs' place, those that have lost their name too
	Goroutines  int
	Heap        int64 // bytes in use after garbage was collected
}

// slack is by how much a count may differ between two moments at which all that
// stays is the same.
var slack = counts{
	// The runtime never ends a thread, and makes one whenever all others are in
	// system calls. How many are at once is chance; this many goroutines a process has
	// that make any.
	Threads: 16,
	// A producer has the segment in use open, the one that it synced last, if it is
	// another, and one that its keeper has not come to release; each with its index.
	Descriptors: 4,
	Mappings:    6,
	// One of the runtime's own may just begin or end: finalizers, cleanups, timers.
	Goroutines: 2,
	// What the tests themselves keep: acknowledgements of the records that retention
	// has just kept, names of producers, buffers.
	Heap: 1 << 20,
}

// count counts once.
func count(place string) (counts, error) {
	runtime.GC()
	runtime.GC() // what pools hold goes with the second one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c := counts{Goroutines: runtime.NumGoroutine(), Heap: int64(m.HeapAlloc)}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return c, err
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return c, err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return c, err
	}
	c.Threads, c.Descriptors = len(threads), len(descriptors)-1 // the one by which they were listed
	c.Mappings = strings.Count(string(maps), " "+place+string(filepath.Separator))
	return c, nil
}

// Work in the background may not have come to its end when all else has: so what is
// counted is the least of several looks.
const (
	leastLooks = 5
	mostLooks  = 1000
	lookPause  = 10 * time.Millisecond
)

// settle counts until nothing is above the limits, or, with none given, some times.
// It returns the least of each that it saw.
func settle(place string, limits *counts) (counts, error) {
	least, err := count(place)
	for look := 1; err == nil; look++ {
		if limits == nil && look >= leastLooks || limits != nil && (least.above(*limits) == "" || look >= mostLooks) {
			return least, nil
		}
		time.Sleep(lookPause)
		var c counts
		c, err = count(place)
		least = counts{
			Threads:     min(least.Threads, c.Threads),
			Descriptors: min(least.Descriptors, c.Descriptors),
			Mappings:    min(least.Mappings, c.Mappings),
			Goroutines:  min(least.Goroutines, c.Goroutines),
			Heap:        min(least.Heap, c.Heap),
		}
	}
	return least, err
}

// above says which counts are above their limits.
func (c counts) above(limit counts) string {
	var what []string
	add := func(name string, have, most int64) {
		if have > most {
			what = append(what, fmt.Sprintf("%d %s, which were at most %d", have, name, most))
		}
	}
	add("threads", int64(c.Threads), int64(limit.Threads))
	add("descriptors", int64(c.Descriptors), int64(limit.Descriptors))
	add("mappings", int64(c.Mappings), int64(limit.Mappings))
	add("goroutines", int64(c.Goroutines), int64(limit.Goroutines))
	add("bytes of heap", c.Heap, limit.Heap)
	return strings.Join(what, "; ")
}

func (c counts) String() string {
	return fmt.Sprintf("%d/%d/%d/%d/%dK", c.Threads, c.Descriptors, c.Mappings, c.Goroutines, c.Heap>>10)
}

// A course is the counts of one process over a run.
type course struct {
	who         string
	half        int // as many checkpoints make the reference, after the first
	seen        int
	first, last counts
	highest     counts // of the reference
}

// limits are what a count is held against, nil in the first half.
func (c *course) limits() *counts {
	if c.seen <= c.half {
		return nil
	}
	return &counts{
		Threads:     c.highest.Threads + slack.Threads,
		Descriptors: c.highest.Descriptors + slack.Descriptors,
		Mappings:    c.highest.Mappings + slack.Mappings,
		Goroutines:  c.highest.Goroutines + slack.Goroutines,
		Heap:        c.highest.Heap + slack.Heap,
	}
}

// note takes in the counts of one more checkpoint, which were taken with c.limits.
func (c *course) note(n counts) error {
	limits := c.limits()
	c.seen++
	if c.last = n; c.seen == 1 {
		return nil // warm-up
	}
	if c.seen == 2 {
		c.first = n
	}
	if limits != nil {
		if what := n.above(*limits); what != "" {
			return fmt.Errorf("%s has, at checkpoint %d: %s (with slack, in the first half)", c.who, c.seen, what)
		}
		return nil
	}
	c.highest = counts{
		Threads:     max(c.highest.Threads, n.Threads),
		Descriptors: max(c.highest.Descriptors, n.Descriptors),
		Mappings:    max(c.highest.Mappings, n.Mappings),
		Goroutines:  max(c.highest.Goroutines, n.Goroutines),
		Heap:        max(c.highest.Heap, n.Heap),
	}
	return nil
}
