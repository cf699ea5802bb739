package writer

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A crowd is the goroutines of a process that wait for a sync.
type crowd struct {
	waiting atomic.Int32

	mu   sync.Mutex
	over chan struct{} // closed when the sync that is under way has ended; nil while nobody waits
	last int32         // how many waited then
}

// maxYields bounds how often a sync waits for those who are on their way. Each
// takes less than a microsecond if there is nobody, and a sync some hundred.
const maxYields = 32

// enter joins the crowd. The channel is closed when whoever leads is done.
func (c *crowd) enter() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		c.over = make(chan struct{})
	}
	c.waiting.Add(1)
	return c.over
}

func (c *crowd) leave() { c.waiting.Add(-1) }

// dismiss ends everybody's wait.
func (c *crowd) dismiss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = c.waiting.Load()
	if c.over != nil {
		close(c.over)
		c.over = nil
	}
}

// gather lets as many come again as waited for the sync before. Goroutines that
// append one durable record after the other are all dismissed by the same sync. If
// the first of them to come back began the next one at once, it would sync its own
// record, and the others would wait for the one after.
func (c *crowd) gather() {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	for i := 0; i < maxYields && c.waiting.Load() < last; i++ {
		runtime.Gosched()
	}
}
