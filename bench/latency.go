package main

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/seed27ccf144/mlog/bench/internal/openloop"
	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// measureSpinning has records of 64 bytes cross to a process that spins on another
// core, at fixed rates, in turns with the bare exchange of a cache line.
func measureSpinning(s *session) error {
	a, b, ok := apart()
	if !ok {
		s.add(report.Missing("spinning", "one-way latency, spinning, 64 B", "≤ 1.6 / ≤ 2.5", "it takes two cores"))
		return nil
	}
	rates := []float64{100_000, 10_000}
	if s.options.quick {
		rates = rates[:1]
	}
	for i, rate := range rates {
		l := &link{s: s, cpus: [2]int{a, b}, rate: rate, spin: true, name: fmt.Sprint("spinning", i)}
		kinds, pairs := []string{viaLines, viaLog, viaBareLog}, s.pairs(9, 5)
		if i > 0 {
			kinds, pairs = kinds[:2], s.pairs(5, 5)
		}
		timings, err := l.compare(pairs, kinds...)
		if err != nil {
			return err
		}
		raw, own := timings[0], timings[1]
		what := fmt.Sprintf("one-way latency, spinning, 64 B, %s/s", report.Number(rate))
		p50 := report.Paired("spinning", what+", p50", "ns", "cache-line exchange", own.p50, raw.p50)
		p99 := report.Paired("spinning", what+", p99", "ns", "cache-line exchange", own.p99, raw.p99)
		if i == 0 {
			p50, p99 = p50.AtMost(1.6, "≤ 1.6"), p99.AtMost(2.5, "≤ 2.5")
		}
		s.add(p50)
		s.add(p99)
		if len(timings) > 2 {
			s.addBareLog("spinning", what, "cache-line exchange", own, timings[2], raw)
		}
		s.curves(what, map[string]*timing{"mlog": own, "cache-line exchange": raw}, "mlog", "cache-line exchange")
	}
	return nil
}

// measureParked has the receiver sleep between records, once on the sender's core
// and once on another, in turns with the bare futex exchange and with a pipe.
func measureParked(s *session) error {
	a, b, ok := apart()
	placements := []struct {
		name string
		cpus [2]int
	}{{"same core", [2]int{proc.CPUs()[0], proc.CPUs()[0]}}, {"other core", [2]int{a, b}}}
	const goal = "≤ 1.15 × futex, ≤ pipe"
	for _, place := range placements {
		if place.cpus[0] != place.cpus[1] && !ok {
			s.add(report.Missing("parked", "one-way latency, parked, "+place.name, goal, "it takes two cores"))
			continue
		}
		rates := []float64{1000, 10_000}
		if s.options.quick {
			rates = rates[:1]
		}
		for i, rate := range rates {
			l := &link{s: s, cpus: place.cpus, rate: rate, name: fmt.Sprint("parked", place.cpus[1], i)}
			kinds, pairs := []string{viaFutex, viaLog, viaPipe, viaSleepyBareLog}, s.pairs(5, 3)
			if i > 0 {
				kinds, pairs = kinds[:3], s.pairs(3, 3)
			}
			timings, err := l.compare(pairs, kinds...)
			if err != nil {
				return err
			}
			raw, own, pipe := timings[0], timings[1], timings[2]
			what := fmt.Sprintf("one-way latency, parked, %s, %s/s", place.name, report.Number(rate))
			againstRaw := report.Paired("parked", what+", p50", "ns", "futex exchange", own.p50, raw.p50)
			againstPipe := report.Paired("parked", what+", p50", "ns", "pipe", own.p50, pipe.p50)
			if i == 0 { // the receiver of the higher rate may find it worth its while to spin
				againstRaw, againstPipe = againstRaw.AtMost(1.15, "≤ 1.15"), againstPipe.AtMost(1, "≤ 1")
			}
			s.add(againstRaw)
			s.add(againstPipe)
			if len(timings) > 3 {
				s.addBareLog("parked", what, "futex exchange", own, timings[3], raw)
			}
			s.curves(what, map[string]*timing{"mlog": own, "futex exchange": raw, "pipe": pipe}, "mlog", "futex exchange", "pipe")
		}
	}
	return nil
}

// addBareLog shows how much of the distance to the exchange, which is no log, is that of a simple one.
func (s *session) addBareLog(row, what, exchange string, own, bare, raw *timing) {
	s.add(report.Paired(row, what+", p50", "ns", "bare log", own.p50, bare.p50))
	s.add(report.Paired(row, what+", p50, a bare log's", "ns", exchange, bare.p50, raw.p50))
}

// A timing is what one side's latencies came to: percentiles of each round, and
// all together.
type timing struct {
	p50, p99, p9999 []float64
	all             *hdrhistogram.Histogram
	warm            bool
}

// add counts a round, except the first, and returns its median.
func (t *timing) add(encoded []byte) (float64, error) {
	h, err := hdrhistogram.Decode(encoded)
	if err != nil {
		return 0, err
	}
	p50 := float64(h.ValueAtQuantile(50))
	if !t.warm {
		t.warm, t.all = true, openloop.Histogram()
		return p50, nil
	}
	t.p50 = append(t.p50, p50)
	t.p99 = append(t.p99, float64(h.ValueAtQuantile(99)))
	t.p9999 = append(t.p9999, float64(h.ValueAtQuantile(99.99)))
	t.all.Merge(h)
	return p50, nil
}

// together returns a percentile of all rounds that count, as if they were one.
func (t *timing) together(percent float64) float64 { return float64(t.all.ValueAtQuantile(percent)) }

// curves puts distributions into the report, for the plot of that title.
func (s *session) curves(plot string, timings map[string]*timing, order ...string) {
	for _, name := range order {
		h := timings[name].all
		c := report.Curve{Plot: plot, Name: name, Count: h.TotalCount(), Points: [][2]float64{{0, float64(h.Min())}}}
		known := openloop.Known(h.TotalCount())
		if len(known) == 0 {
			continue
		}
		last := known[len(known)-1]
		for _, p := range []float64{10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.975, 99.99} {
			if p <= last {
				c.Points = append(c.Points, [2]float64{p, float64(h.ValueAtQuantile(p))})
			}
		}
		s.report.Curves = append(s.report.Curves, c)
	}
}

// A link is a sender and a receiver on certain cores.
type link struct {
	s    *session
	cpus [2]int // of the sender and of the receiver
	rate float64
	spin bool
	name string // of its files
}

// compare measures transports in turns, between the same two processes.
func (l *link) compare(pairs int, kinds ...string) ([]*timing, error) {
	sender, err := l.s.start(l.cpus[0])
	if err != nil {
		return nil, err
	}
	receiver, err := l.s.start(l.cpus[1])
	if err != nil {
		return nil, err
	}
	timings := make([]*timing, len(kinds))
	sides := make([]side, len(kinds))
	for i, kind := range kinds {
		timings[i] = &timing{}
		slice := l.s.slice(400*time.Millisecond, 200*time.Millisecond)
		if sides[i], err = l.via(kind, sender, receiver, slice, timings[i]); err != nil {
			return nil, err
		}
	}
	_, err = l.s.takeTurns(pairs, sides...)
	return timings, err
}

// via is the side whose figure is the median latency by one transport.
func (l *link) via(kind string, sender, receiver *proc.Worker, slice time.Duration, to *timing) (side, error) {
	attach := task{Job: "attach", Kind: kind, Dir: l.s.path(l.name + kind), Spin: l.spin, Bytes: l.s.kept()}
	for _, w := range []*proc.Worker{sender, receiver} {
		if _, err := l.s.ask(w, attach); err != nil {
			return nil, err
		}
	}
	n := int64(l.rate * slice.Seconds())
	send := task{Job: "send", Kind: kind, N: n, Rate: l.rate, Yield: l.cpus[0] == l.cpus[1]}
	return func() (float64, error) {
		replies, err := l.s.askAll([]*proc.Worker{sender, receiver}, send, task{Job: "receive", Kind: kind, N: n})
		if err != nil {
			return 0, err
		}
		return to.add(replies[1].Histogram)
	}, nil
}

// lead is how long before the first record is due the receiver is ready.
const lead = int64(2 * time.Millisecond)

// sendJob sends N records when they are due. It keeps its core while it waits for
// that; where the receiver needs the same one, it gives it away once after each.
func (w *worker) sendJob(t task) (reply, error) {
	e := w.ends[t.Kind]
	schedule := openloop.Schedule{Start: t.At + lead, Rate: t.Rate}
	return reply{Records: t.N}, schedule.Run(t.N, func() {}, func(_, due int64) error {
		err := e.send(due)
		if t.Yield {
			shm.Yield()
		}
		return err
	})
}

func (w *worker) receiveJob(t task) (reply, error) {
	e := w.ends[t.Kind]
	h := openloop.Histogram()
	for range t.N {
		due, err := e.receive()
		if err != nil {
			return reply{}, err
		}
		openloop.Record(h, shm.Now()-due)
	}
	encoded, err := h.EncodeV2()
	return reply{Records: t.N, Histogram: encoded}, err
}
