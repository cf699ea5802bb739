package harness

import (
	"time"

	"golang.org/x/sys/unix"
)

// A plan says when each record is due: at a fixed rate, however late the ones before were.
type plan struct {
	start    int64
	interval float64 // ns
	warm     uint64  // records that are not counted
	count    uint64  // records in all
	sleeps   bool    // the producer must not keep the core busy, for the consumer is to run there
}

func newPlan(s Settings, start int64) plan {
	warm := uint64(s.Rate * s.Warm)
	return plan{
		start:    start,
		interval: 1e9 / s.Rate,
		warm:     warm,
		count:    warm + max(1, uint64(s.Rate*s.Seconds)),
		sleeps:   s.Pin == PinSame,
	}
}

// due returns when a record is due.
func (p *plan) due(seq uint64) int64 { return p.start + int64(float64(seq)*p.interval) }

// spinFor is how long before the time the producer stops to sleep: longer than a sleep is late.
const spinFor = 200 * time.Microsecond

// wait returns when the record is due, and the time at which it was.
func (p *plan) wait(seq uint64) int64 {
	due := p.due(seq)
	if p.sleeps {
		sleepUntil(due)
		return due
	}
	if ahead := due - Now(); ahead > int64(2*spinFor) {
		sleepUntil(due - int64(spinFor))
	}
	for Now() < due {
	}
	return due
}

// sleepUntil sleeps by the system's own clock, which is later by some microseconds; the runtime's timers by more.
func sleepUntil(at int64) {
	t := unix.NsecToTimespec(at)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &t, nil) == unix.EINTR {
	}
}

// sharpTimers has the calling thread's sleeps end without the usual 50 µs of slack.
func sharpTimers() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) }
