package writer

import (
	"math"
	"sync/atomic"
	"time"
)

// A clock tells the time of appends. To read the system's clock takes as long as
// the rest of an append, so in a long run of appends that follow one another quickly
// it is read for every 32nd only, and the others get the time that was read last:
// an append has a time that is never ahead of the clock, and at most a tick behind.
// The first 256 of a run read it each: who appends little, and asks for the records
// from a time on that he took in between, gets these and no others.
//
// What bounds that is the ticker, which has the next append read the clock. It
// runs during such a run, and two ticks longer: so an append that finds no tick since the clock was
// read (hasNotTicked) is followed by one that begins a tick's time later. Appends that come at longer
// intervals, of more than about a microsecond, read the clock each: a reading would
// save them little, and each tick takes a core from somebody.
//
// A process that is stopped in such a run, and goes on, may append before its
// ticker comes to run: but for 31 records at most, and their time is that of the stop.
type clock struct {
	read  func() int64 // ns since 1970
	share int          // appends of a run that share a reading; 1: none do

	last  int64  // what was read last
	quick int    // readings in a row that followed one another quickly, up to clockStreak
	given int    // how many more appends were to have it
	left  int    // how many of them are still to come
	seen  uint32 // ticks when it was read
	ticks atomic.Uint32

	timer   *time.Timer
	running atomic.Bool
	wanted  atomic.Bool // the clock was read in a run since the last tick
	idle    bool        // and was not between that and the one before; the ticker's
	ticked  func()      // called with each tick, for what appends of a run leave to it; may be nil
}

const (
	clockShare  = 32
	clockRun    = time.Microsecond // appends that come at shorter intervals are of a run
	clockStreak = 256              // readings of a run before any is shared
	clockTick   = time.Millisecond
)

func (c *clock) init(now func() time.Time, share int) {
	c.read = func() int64 { return now().UnixNano() }
	c.share = share
	c.timer = time.AfterFunc(math.MaxInt64, c.tick)
	c.timer.Stop()
}

// shares reports whether the next append gets a time that was read before: it comes soon
// after many others.
func (c *clock) shares() bool { return c.left > 0 && c.hasNotTicked() }

// hasNotTicked reports whether the last reading still counts. It is for the goroutine that has
// just called now.
func (c *clock) hasNotTicked() bool { return c.ticks.Load() == c.seen }

// now returns the time for an append. One goroutine at a time may call it.
func (c *clock) now() int64 {
	if c.shares() {
		c.left--
		return c.last
	}
	return c.reread()
}

func (c *clock) reread() int64 {
	c.seen = c.ticks.Load() // before the clock: a tick after this ends what is read now
	ns := c.read()
	appends := int64(c.given - c.left + 1) // since the last reading
	if ns >= c.last && ns-c.last < appends*int64(clockRun) {
		c.quick = min(c.quick+1, clockStreak)
	} else {
		c.quick = 0
	}
	c.last, c.given, c.left = ns, 0, 0
	if c.share > 1 && c.quick == clockStreak {
		c.given = c.share - 1
		c.left = c.given
		c.want()
	}
	return ns
}

// want has the ticker run. It and tick each store their own word before they load
// the other's, so that no run is left without a ticker.
func (c *clock) want() {
	if !c.wanted.Load() {
		c.wanted.Store(true)
	}
	c.start()
}

func (c *clock) start() {
	if !c.running.Load() && c.running.CompareAndSwap(false, true) {
		c.timer.Reset(clockTick)
	}
}

// tick has the next append read the clock, and goes on while a run does. The tick that finds
// the run over may come while the last of its appends is under way, so there is another one.
func (c *clock) tick() {
	c.ticks.Add(1)
	if c.ticked != nil {
		c.ticked()
	}
	before := c.idle
	c.idle = !c.wanted.Swap(false)
	if !c.idle || !before {
		c.timer.Reset(clockTick)
		return
	}
	c.idle = false
	c.running.Store(false)
	if c.wanted.Load() {
		c.start()
	}
}

// stop ends the ticker, now being called no more.
func (c *clock) stop() {
	if c.timer != nil {
		c.timer.Stop()
	}
}
