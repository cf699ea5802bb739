package control

import (
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/futex"
)

// A sync wakes all whom it covers, and one of the others at a time.
func TestSyncWakesWhomItCovers(t *testing.T) {
	if !futex.Native {
		t.Skip("no wake-ups here")
	}
	_, path := newControl(t)
	c := open(t, path)
	const waiters = 3
	woken := make(chan bool, waiters)
	for range waiters {
		go func() { woken <- !c.AwaitSync(0, 2, time.Minute) }()
	}
	for len(woken) < waiters {
		c.WakeSynced(1, 2) // again and again, since they come to sleep in their own time
	}
	for range waiters {
		if !<-woken {
			t.Error("a waiter slept out its bound")
		}
	}
	go func() { woken <- !c.AwaitSync(0, 9, time.Minute) }()
	for len(woken) == 0 {
		if n := c.WakeSynced(0, 3); n != 0 {
			t.Errorf("%d counted as covered, who is not", n)
		}
	}
}

// Who comes to sleep when the mark has moved does not.
func TestSyncBeforeTheSleep(t *testing.T) {
	_, path := newControl(t)
	c := open(t, path)
	c.Durable.Store(5)
	if c.AwaitSync(4, 5, time.Minute) {
		t.Error("slept, although the mark had moved")
	}
	if !c.AwaitSync(5, 6, time.Millisecond) {
		t.Error("woken by nobody")
	}
}
