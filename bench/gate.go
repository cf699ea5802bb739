package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/stat"
)

const (
	leastLoss = 0.10 // by how much a median must be worse at least to count
	mostNoise = 0.25 // with more than this, not being worse says nothing
)

// errUnsure says that the machine was too noisy.
var errUnsure = errors.New("too noisy to tell")

// The gate's logs are small, and of small segments, so that every slice has several
// rolls in it and not now one and then none.
const (
	gateKept    = 64 << 20
	gateSegment = 8 << 20
	// Many short slices tell more than few long ones: what disturbs a machine comes
	// in bursts, which then spoil some of them and not a part of each.
	gateSlice = 40 * time.Millisecond
	gatePairs = 45
)

// A probe is one of the figures that the gate looks at, each higher if better.
type probe struct {
	name string
	side func(*session) (side, error) // sets one contestant up
}

func probes() []probe {
	t := task{Size: record, Bytes: gateKept, Segment: gateSegment, For: gateSlice}
	rolling := func(job string) func(*session) (side, error) {
		return func(s *session) (side, error) {
			w, err := s.start()
			if err != nil {
				return nil, err
			}
			t := t
			t.Dir, t.Job, t.N = s.path(job), "open", gateKept+2*gateSegment
			if _, err := s.ask(w, t); err != nil {
				return nil, err
			}
			t.Job, t.N = job, 0
			return s.rateOf(w, t), nil
		}
	}
	return []probe{
		{"append 256 B", rolling("append")},
		{"batches of 100", rolling("append-batches")},
		{"stream 1 to 1", func(s *session) (side, error) { return gateStream(s, t) }},
		{"replay", func(s *session) (side, error) { return gateReplay(s, t) }},
		{"append, 4 processes", func(s *session) (side, error) { return gateTogether(s, t, "append") }},
		{"durable, 4 processes", func(s *session) (side, error) { return gateTogether(s, t, "append-durable") }},
		{"durable, 8 goroutines", func(s *session) (side, error) { return gateDurable(s, t) }},
		{"wake-ups, one core", gateParked},
	}
}

func gateStream(s *session, t task) (side, error) {
	workers, err := s.startN(2)
	if err != nil {
		return nil, err
	}
	t.Dir, t.Job, t.N = s.path("stream"), "open", gateKept+2*gateSegment
	if _, err := s.ask(workers[0], t); err != nil {
		return nil, err
	}
	if _, err := s.ask(workers[1], task{Job: "follow", Dir: t.Dir}); err != nil {
		return nil, err
	}
	t.Job = "append"
	return s.streamed(workers[0], workers[1], t, "read", 20_000, streaming{gateSlice, gateKept / 2 / (record + frameHeader)}), nil
}

func gateReplay(s *session, t task) (side, error) {
	w, err := s.start()
	if err != nil {
		return nil, err
	}
	t.Dir, t.Job, t.N, t.Bytes = s.path("replay"), "append", 250_000, 0
	if _, err := s.ask(w, t); err != nil {
		return nil, err
	}
	t.Job = "replay"
	return s.rateOf(w, t), nil
}

// gateTogether has several processes append to one log at once.
func gateTogether(s *session, t task, job string) (side, error) {
	workers, err := s.startN(4)
	if err != nil {
		return nil, err
	}
	t.Dir, t.Job, t.N = s.path("together"), "open", gateKept+2*gateSegment
	t.Flush = job == "append-durable"
	if _, err := s.ask(workers[0], t); err != nil {
		return nil, err
	}
	t.N = 0
	if _, err := s.askAll(workers, t); err != nil {
		return nil, err
	}
	t.Job, t.Many = job, 1
	return s.rateOfAll(workers, t), nil
}

// gateParked has a consumer sleep between records, on the producer's core. Its
// figure is how many such hand-overs a second would make, one behind the other.
func gateParked(s *session) (side, error) {
	core := proc.CPUs()[0]
	l := &link{s: s, cpus: [2]int{core, core}, rate: 2000, name: "parked"}
	sender, err := s.start(core)
	if err != nil {
		return nil, err
	}
	receiver, err := s.start(core)
	if err != nil {
		return nil, err
	}
	latency, err := l.via(viaLog, sender, receiver, gateSlice, &timing{})
	return func() (float64, error) {
		ns, err := latency()
		return 1e9 / max(ns, 1), err
	}, err
}

func gateDurable(s *session, t task) (side, error) {
	w, err := s.start()
	if err != nil {
		return nil, err
	}
	t.Dir, t.Job, t.Many, t.Flush = s.path("durable"), "append-durable", 8, true
	return s.rateOf(w, t), nil
}

// An outcome is what the gate found about one probe. Ratios above 1 are for the
// better.
type outcome struct {
	name          string
	before, now   float64     // medians
	ratio, itself stat.Spread // now to before; before to itself
	bound         float64     // how much worse it may be
	worse, unsure bool
}

// judge compares rounds of two copies of the old program and of the new one. The
// old one against itself tells what this machine makes of no change at all: how far
// the medians of two equal programs come out apart, or, going by the spread, might
// have come out. Twenty such medians in a row may have one beyond; hence the second
// look that gate takes.
func judge(name string, old1, old2, now []float64) outcome {
	before := make([]float64, len(old1))
	for i := range old1 {
		before[i] = math.Sqrt(old1[i] * old2[i])
	}
	ratios, itself := stat.Ratios(now, before), stat.Ratios(old2, old1)
	o := outcome{name: name, before: stat.Median(before), now: stat.Median(now), ratio: stat.Of(ratios), itself: stat.Of(itself)}
	noise := max(math.Abs(1-o.itself.Median), stat.MedianError(itself))
	o.bound = max(leastLoss, noise)
	o.worse, o.unsure = 1-o.ratio.Median > o.bound, noise > mostNoise
	return o
}

// gate compares this program with an older one, and fails if that is quicker. What
// looks worse, or too noisy to tell, is measured again, with fresh processes and
// twice the pairs: only what is so both times is.
func gate(ctx context.Context, o options, stdout io.Writer) error {
	s, err := newSession(ctx, o, io.Discard)
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Fprintf(stdout, "%s\n%-24s %10s %10s  %-20s %-20s %s\n", s.report.Machine, "records/s", "before", "now", "ratio (quartiles)", "noise (quartiles)", "bound")
	var worse, unsure []string
	for _, p := range probes() {
		n := s.pairs(gatePairs, gatePairs)
		found, err := s.contest(p, n)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		verdict := "ok"
		if found.worse || found.unsure {
			found.print(stdout, "once more, with twice the pairs")
			if found, err = s.contest(p, 2*n); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			switch {
			case found.worse:
				verdict = "WORSE"
				worse = append(worse, p.name)
			case found.unsure:
				verdict = "cannot tell"
				unsure = append(unsure, p.name)
			}
		}
		found.print(stdout, verdict)
	}
	if len(worse) > 0 {
		return fmt.Errorf("slower than before: %s", strings.Join(worse, ", "))
	}
	if len(unsure) > 0 {
		return fmt.Errorf("%w: %s", errUnsure, strings.Join(unsure, ", "))
	}
	return nil
}

func (o outcome) print(w io.Writer, verdict string) {
	spread := func(s stat.Spread) string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Q1, s.Q3) }
	fmt.Fprintf(w, "%-24s %10s %10s  %-20s %-20s %.2f  %s\n", o.name, report.Number(o.before), report.Number(o.now),
		spread(o.ratio), spread(o.itself), 1-o.bound, verdict)
}

// contest measures a probe in turns: the old program twice, and this one.
func (s *session) contest(p probe, rounds int) (outcome, error) {
	var sides []side
	var found outcome
	err := s.inDir("gate", func() error {
		for i, program := range []string{s.options.gate, s.options.gate, s.program} {
			c := *s // a session for this contestant
			c.program, c.dir, c.workers = program, s.path(fmt.Sprint(i)), nil
			if err := os.Mkdir(c.dir, 0o700); err != nil {
				return err
			}
			side, err := p.side(&c)
			s.workers = append(s.workers, c.workers...)
			if err != nil {
				return err
			}
			sides = append(sides, side)
		}
		figures, err := s.takeTurns(rounds, sides...)
		if err == nil {
			found = judge(p.name, figures[0], figures[1], figures[2])
		}
		return err
	})
	return found, err
}
