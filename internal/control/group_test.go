package control

import (
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/futex"
)

// A bound that no test waits for: to sleep it out is to have lost a wake-up.
const forever = 2 * time.Minute

func wantWoken(t *testing.T, began time.Time) {
	t.Helper()
	if time.Since(began) >= forever {
		t.Error("a waiter slept out its bound")
	}
}

// A sync wakes all whom it covers, once and whenever they come to sleep.
func TestSyncWakesWhomItCovers(t *testing.T) {
	_, path := newControl(t)
	c := open(t, path)
	const waiters = 3
	for round := range uint64(500) {
		began := time.Now()
		var all sync.WaitGroup
		for range waiters {
			all.Go(func() {
				for c.Durable.Load() < round+1 {
					c.AwaitSync(round, int64(round)+1, forever)
				}
			})
		}
		if round%2 == 0 {
			time.Sleep(200 * time.Microsecond) // some sleep by then, mostly
		}
		Raise(c.Durable, round+1)
		c.WakeSynced(round, round+1)
		all.Wait()
		wantWoken(t, began)
	}
}

// Of those whom it does not cover it wakes one, who is to sync next.
func TestSyncWakesOneForTheNext(t *testing.T) {
	if !futex.Native {
		t.Skip("no wake-ups here")
	}
	_, path := newControl(t)
	c := open(t, path)
	began := time.Now()
	woken := make(chan bool, 1)
	go func() {
		c.AwaitSync(0, 9, forever)
		woken <- true
	}()
	for len(woken) == 0 { // again and again, since it comes to sleep in its own time
		if n := c.WakeSynced(0, 3); n != 0 {
			t.Errorf("%d counted as covered, who is not", n)
		}
	}
	wantWoken(t, began)
}

// Who comes to sleep when the mark has moved does not.
func TestSyncBeforeTheSleep(t *testing.T) {
	_, path := newControl(t)
	c := open(t, path)
	c.Durable.Store(5)
	began := time.Now()
	c.AwaitSync(4, 5, forever)
	wantWoken(t, began)
}
