package main

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// A horizon is the number of the last record that may be read, and a place to wait until it moves.
type horizon struct {
	last    atomic.Uint64
	spin    bool
	waiting atomic.Int32
	mu      sync.Mutex
	moved   *sync.Cond
}

func newHorizon(spin bool) *horizon {
	h := &horizon{spin: spin}
	h.moved = sync.NewCond(&h.mu)
	return h
}

// move lets records up to last be read.
func (h *horizon) move(last uint64) {
	h.last.Store(last)
	// A reader counts itself before it looks at last again, so either it sees the new one or it is seen here.
	if h.waiting.Load() > 0 {
		h.mu.Lock()
		h.moved.Broadcast()
		h.mu.Unlock()
	}
}

// wait returns the last record that may be read, once that is index or later.
func (h *horizon) wait(index uint64) uint64 {
	for {
		if last := h.last.Load(); last >= index {
			return last
		}
		if !h.spin {
			break
		}
		runtime.Gosched() // the collector and the producer need a core too
	}
	h.waiting.Add(1)
	defer h.waiting.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if last := h.last.Load(); last >= index {
			return last
		}
		h.moved.Wait()
	}
}
