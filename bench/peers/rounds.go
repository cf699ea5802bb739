package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// A campaign is all that is to be measured.
type campaign struct {
	*runner
	report   *Report
	peers    []Peer
	cases    []Case
	rounds   int
	seconds  float64 // of each measurement
	progress io.Writer
	save     func() error // called after each round
}

// prepareAll has every peer built, and notes those that cannot be. It returns the others.
func (c *campaign) prepareAll(ctx context.Context) ([]Peer, error) {
	var ready []Peer
	for _, p := range c.peers {
		rec := c.report.record(p)
		fmt.Fprintf(c.progress, "prepare %-22s", p.Name)
		began := time.Now()
		err := c.prepare(ctx, p)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			rec.Skipped = "it cannot be installed here: " + err.Error()
			fmt.Fprintln(c.progress, "skipped:", err)
			continue
		}
		rec.Skipped = ""
		ready = append(ready, p)
		fmt.Fprintf(c.progress, "%5.1f s\n", time.Since(began).Seconds())
	}
	return ready, nil
}

// A job is one measurement to be made.
type job struct {
	peer  Peer
	which Case
}

// measure makes all rounds. In each every case is asked of every peer, one after the other, so that what changes on
// the machine meanwhile meets all alike.
func (c *campaign) measure(ctx context.Context, peers []Peer) error {
	began, done := time.Now(), 0
	failed := map[job]bool{}
	for round := range c.rounds {
		jobs := c.jobs(peers, failed)
		for i, j := range jobs {
			if err := ctx.Err(); err != nil {
				return err
			}
			result, err := c.bench(ctx, j.peer, j.which, c.seconds)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			rec := c.report.record(j.peer)
			if err != nil {
				failed[j] = true
				cell := rec.cell(j.which)
				cell.Failures = append(cell.Failures, err.Error())
			} else {
				rec.add(j.which, result)
			}
			done++
			left := len(jobs)*(c.rounds-round) - i - 1
			each := time.Since(began) / time.Duration(done)
			fmt.Fprintf(c.progress, "%d/%d %4d/%-4d %-26s %-22s %-44s %v left\n", round+1, c.rounds, i+1, len(jobs),
				j.which, j.peer.Name, outcome(rec.lookup(j.which), err), (time.Duration(left) * each).Round(time.Second))
		}
		c.report.Date = time.Now().UTC().Format(time.RFC3339)
		if err := c.save(); err != nil {
			return err
		}
	}
	return nil
}

// jobs lists what a round measures: not what a peer does not have, nor what took too long or went wrong before.
func (c *campaign) jobs(peers []Peer, failed map[job]bool) []job {
	var jobs []job
	for _, which := range c.cases {
		for _, p := range peers {
			j := job{p, which}
			cell := c.report.record(p).lookup(which)
			if !failed[j] && (cell == nil || !cell.settled()) {
				jobs = append(jobs, j)
			}
		}
	}
	return jobs
}

// outcome says in a few words how a measurement ended.
func outcome(cell *Cell, err error) string {
	switch {
	case errors.Is(err, errLate):
		return "hangs: " + err.Error()
	case err != nil:
		return "failed: " + err.Error()
	case cell.Inapplicable != "":
		return "has none: " + cell.Inapplicable
	case cell.Skipped != "":
		return "skipped: " + cell.Skipped
	}
	last := cell.Samples[len(cell.Samples)-1]
	if l := last.Latency; l != nil {
		return fmt.Sprintf("p50 %s, p99 %s, p99.9 %s", micros(l.P50), micros(l.P99), micros(l.P999))
	}
	return perSecond(last.Rate) + "/s"
}
