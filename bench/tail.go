package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/openloop"
	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"
	"github.com/seed27ccf144/mlog/bench/internal/stat"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureTail appends at half of the full rate, through many rolls, and takes the
// time from when each record was due until its append returned. The ring does the
// same at the same rate; whatever the machine itself does to a process that only
// copies and hashes shows in the limit loop's own tail.
//
// That is most of it on a machine with neighbours, and comes and goes by the second.
// So there are many short pairs instead of a few long ones: a stall of the machine's
// then spoils one pair, and not the median. A turn has some ten thousand records for
// each one beyond its p99.99, and some rolls. Each side has a process of its own, as
// what mlog leaves to do in the background would else disturb the limit loop too.
// mlog rests for less than a second, after which it would let its memory go: the row
// is about a log that is appended to steadily.
func measureTail(s *session) error {
	workers, err := s.startN(2)
	if err != nil {
		return err
	}
	limit, w := workers[0], workers[1]
	log, err := s.rolling(w, "log")
	if err != nil {
		return err
	}
	rate, err := s.fullRate(w, log)
	if err != nil {
		return err
	}
	rate /= 2
	n := int64(rate * s.slice(300*time.Millisecond, 200*time.Millisecond).Seconds())
	raw, own := &timing{}, &timing{}
	paced := func(w *proc.Worker, t task, into *timing) side {
		return func() (float64, error) {
			r, err := s.ask(w, t)
			if err != nil {
				return 0, err
			}
			return into.add(r.Histogram)
		}
	}
	if _, err := s.takeTurns(s.pairs(15, 5),
		paced(limit, task{Job: "paced-limit", Dir: s.path("ring"), Bytes: s.kept(), Size: record, Rate: rate, N: n}, raw),
		paced(w, task{Job: "paced-append", Dir: log, Size: record, Rate: rate, N: n}, own)); err != nil {
		return err
	}
	more := func(what string, mlog, other []float64) report.Line {
		l := report.Paired("tail", what, "µs", "limit loop", micro(mlog), micro(other))
		l.Ratio, l.Compare = stat.Of(stat.Differences(micro(mlog), micro(other))), "difference, µs"
		return l
	}
	l := more("append at half of full rate, p99.99, through rolls", own.p9999, raw.p9999)
	s.add(l.Judged("≤ 50 µs more", l.Ratio.Median <= 50).Noted("%d pairs, the median is known to ± %s µs; at %s records/s, some %.0f segments a turn", l.Ratio.N,
		report.Number(stat.MedianError(stat.Differences(micro(own.p9999), micro(raw.p9999)))),
		report.Number(rate), float64(n*(record+frameHeader))/float64(mlog.DefaultSegmentBytes)))
	s.add(more("the same, of all turns together", []float64{own.together(99.99)}, []float64{raw.together(99.99)}))
	s.add(report.Paired("tail", "the same, p50", "µs", "limit loop", micro(own.p50), micro(raw.p50)))
	s.curves("append at half of full rate, through rolls", map[string]*timing{"mlog": own, "limit loop": raw}, "mlog", "limit loop")
	return nil
}

// fullRate returns the records a second that a worker appends at most, doing all that it
// does in a turn: two looks at the clock for each record and a histogram take longer than
// the append, and half of what can be appended without them would be more than can be
// kept up with them. It is the median of some turns, since a rate that the machine holds
// for a moment only would be none that half of can be kept up either.
func (s *session) fullRate(w *proc.Worker, log string) (float64, error) {
	var rates []float64
	for range 5 {
		r, err := s.ask(w, task{Job: "paced-append", Dir: log, Size: record, Rate: alwaysDue, N: 500_000})
		if err != nil {
			return 0, err
		}
		rates = append(rates, r.rate())
	}
	return stat.Median(rates), nil
}

// alwaysDue is a rate that nothing keeps up with.
const alwaysDue = 1e12

func micro(ns []float64) []float64 {
	out := make([]float64, len(ns))
	for i, v := range ns {
		out[i] = v / 1000
	}
	return out
}

func (w *worker) pacedAppendJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	ctx := context.Background()
	return paced(t, func(i int64) error {
		_, err := l.visible.Append(ctx, mlog.Record{Value: w.payload(i, t.Size)})
		return err
	})
}

func (w *worker) pacedLimitJob(t task) (reply, error) {
	r, err := w.openRing(t.Dir, t.Bytes, t.Size)
	if err != nil {
		return reply{}, err
	}
	return paced(t, func(i int64) error {
		r.put(w.payload(i, t.Size))
		return nil
	})
}

func paced(t task, do func(i int64) error) (reply, error) {
	h := openloop.Histogram()
	s := openloop.Schedule{Start: max(t.At, shm.Now()), Rate: t.Rate}
	err := s.Run(t.N, func() {}, func(i, due int64) error {
		if err := do(i); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		openloop.Record(h, shm.Now()-due)
		return nil
	})
	ended := shm.Now()
	if err != nil {
		return reply{}, err
	}
	encoded, err := h.EncodeV2()
	return reply{Records: t.N, Began: s.Start, Ended: ended, Histogram: encoded}, err
}
