//go:build unix

package storm

import (
	"context"
	"time"
)

// A machine that has more to do than it can, as one that runs the tests of many packages at
// once, gives a survivor no processor for a while, and no log can help that. So each
// round has a process that is none of the log's: it wakes up, writes a line of its
// report and sleeps again, as a producer does but for the append, and nobody kills
// or stops it. The short form takes off the waits what that one was late meanwhile. They
// prove of the log what they did: to wait for it takes no processor, so however
// long a log makes its survivors wait, the bare process is in time.
// The long form has deaths enough to take the waits as they are.

const (
	bareRole  = "bare"
	barePause = time.Millisecond
	// leastLate is from when on the bare process counts as late: no sleep is exact.
	leastLate = time.Millisecond
)

func beBare(stay context.Context, _ job, r *report) error {
	for stay.Err() == nil {
		if err := r.add(entry{Kind: beat, End: now()}); err != nil {
			return err
		}
		time.Sleep(barePause)
	}
	return nil
}

// withheld returns how much of a time the bare process was late, by its beats in their
// order. Before the first of them and behind the last it was, too.
func withheld(beats []entry, from, to time.Time) time.Duration {
	var sum time.Duration
	late := func(since, until time.Time) {
		if until.Sub(since) < leastLate {
			return
		}
		if since.Before(from) {
			since = from
		}
		if until.After(to) {
			until = to
		}
		sum += max(0, until.Sub(since))
	}
	due := time.Time{}
	for _, b := range beats {
		at := time.Unix(0, b.End)
		late(due, at)
		due = at.Add(barePause)
	}
	late(due, to)
	return sum
}
