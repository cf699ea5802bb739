package writer

import (
	"sync/atomic"
	"testing"
	"time"
)

// testClock is a clock whose time is set, whose ticker only ticks when told to.
func testClock(share int) (c *clock, at *int64, reads *int) {
	at, reads = new(int64), new(int)
	c = new(clock)
	c.init(func() time.Time { *reads++; return time.Unix(0, *at) }, share)
	c.running.Store(true) // so that no append starts the ticker
	return c, at, reads
}

// longRun has so many appends of a run that some more share a reading.
func longRun(c *clock) {
	for range clockStreak + 2 {
		c.now()
	}
}

// TestShortRunsAreExact: so many appends as a program makes by the way each have
// their own time, however quickly they follow one another.
func TestShortRunsAreExact(t *testing.T) {
	c, at, _ := testClock(clockShare)
	for range 10 {
		*at += int64(clockRun)
		for i := range clockStreak {
			*at++
			if ns := c.now(); ns != *at {
				t.Fatalf("append %d of a run at %d has the time %d", i, *at, ns)
			}
		}
	}
}

// TestRunSharesReadings: of appends that come quickly, one in 32 reads the clock,
// and none has a time that was not yet.
func TestRunSharesReadings(t *testing.T) {
	c, at, reads := testClock(clockShare)
	const appends = 32 * 1000
	var last int64
	for i := range appends {
		*at = int64(time.Hour) + int64(i)*100
		ns := c.now()
		if ns > *at || ns < *at-clockShare*100 || ns < last {
			t.Fatalf("append %d at %d has the time %d, after %d", i, *at, ns, last)
		}
		last = ns
	}
	if *reads > clockStreak+appends/clockShare+2 {
		t.Errorf("%d readings for %d appends", *reads, appends)
	}
}

// TestSlowAppendsReadTheClock: those that come slowly have the exact time, and no
// ticker is started for them.
func TestSlowAppendsReadTheClock(t *testing.T) {
	c, at, _ := testClock(clockShare)
	for i := range 1000 {
		*at += int64(clockRun)
		if ns := c.now(); ns != *at {
			t.Fatalf("append %d at %d has the time %d", i, *at, ns)
		}
	}
	if c.wanted.Load() {
		t.Error("the ticker is wanted")
	}
}

// TestRunThatSlowsDownEnds: what counts is the interval of appends, not that of readings.
func TestRunThatSlowsDownEnds(t *testing.T) {
	c, at, reads := testClock(clockShare)
	longRun(c)
	for range 2 * clockShare {
		*at += 2 * int64(clockRun)
		c.now()
	}
	before := *reads
	for range 10 {
		*at += 2 * int64(clockRun)
		if ns := c.now(); ns != *at {
			t.Fatalf("an append at %d has the time %d", *at, ns)
		}
	}
	if *reads != before+10 {
		t.Errorf("%d readings for 10 appends", *reads-before)
	}
}

// TestTickEndsReading: after a tick the clock is read, however few appends had
// the time before, and a step of the clock is followed, back too.
func TestTickEndsReading(t *testing.T) {
	c, at, _ := testClock(clockShare)
	*at = int64(time.Hour)
	for _, step := range []time.Duration{time.Second, -time.Minute, time.Nanosecond} {
		longRun(c)
		*at += int64(step)
		c.tick()
		if ns := c.now(); ns != *at {
			t.Errorf("after a step of %v: %d, want %d", step, ns, *at)
		}
	}
}

// TestTickerEndsWithRun: the ticker goes on while a run does and ends with the
// tick after; a run that begins later has one again.
func TestTickerEndsWithRun(t *testing.T) {
	c, at, _ := testClock(clockShare)
	c.running.Store(false)
	*at = int64(time.Hour)
	for range 3 {
		longRun(c)
		if !c.running.Load() {
			t.Fatal("a run has no ticker")
		}
		for deadline := time.Now().Add(10 * time.Second); c.running.Load(); time.Sleep(clockTick) {
			if time.Now().After(deadline) {
				t.Fatal("the ticker goes on without appends")
			}
		}
		ticks := c.ticks.Load()
		time.Sleep(5 * clockTick)
		if c.ticks.Load() != ticks {
			t.Error("an idle clock ticks")
		}
	}
}

// TestTickerGoesOnOnceMore: the tick that finds the run over may come while its last append is under
// way, and is not the last.
func TestTickerGoesOnOnceMore(t *testing.T) {
	c, _, _ := testClock(clockShare)
	c.timer = time.AfterFunc(time.Hour, func() {}) // it ticks when it is told to, and only then
	defer c.timer.Stop()
	for range 2 {
		longRun(c)
		c.running.Store(true)
		for i, goesOn := range []bool{true, true, false} {
			if c.tick(); c.running.Load() != goesOn {
				t.Fatalf("after tick %d it goes on: %v", i+1, !goesOn)
			}
		}
	}
}

// TestRunIsFollowedByATick: an append that finds that the clock has not ticked is followed by a tick, and that by
// another one, which begins a tick's time later.
func TestRunIsFollowedByATick(t *testing.T) {
	c, at, _ := testClock(clockShare)
	c.running.Store(false)
	*at = int64(time.Hour)
	var ticked atomic.Uint32
	c.ticked = func() { ticked.Add(1) }
	for round := range 20 {
		longRun(c)
		for range 10 * round {
			c.now()
			time.Sleep(clockTick / 10)
		}
		for range clockStreak { // as often as an append of a run might be the last
			c.now()
		}
		before := c.seen
		if !c.hasNotTicked() {
			continue // it came just now
		}
		for deadline := time.Now().Add(10 * time.Second); c.running.Load(); time.Sleep(clockTick) {
			if time.Now().After(deadline) {
				t.Fatal("the ticker goes on without appends")
			}
		}
		if ticks := c.ticks.Load(); ticks < before+2 || ticked.Load() != ticks {
			t.Fatalf("round %d: the last append knew of tick %d, the ticker ended with %d, and called %d times", round, before, ticks, ticked.Load())
		}
	}
}

// TestTestClockIsExact: a clock that the caller brings is read for each append.
func TestTestClockIsExact(t *testing.T) {
	c, at, _ := testClock(1)
	for i := range 1000 {
		*at++
		if ns := c.now(); ns != *at {
			t.Fatalf("append %d at %d has the time %d", i, *at, ns)
		}
	}
}
