package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/openloop"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"
	"github.com/seed27ccf144/mlog/bench/internal/stat"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureTail appends at half of the full rate, through many rolls, and takes the
// time from when each record was due until its append returned. The ring does the
// same at the same rate; whatever the machine itself does to a process that only
// copies and hashes shows in the limit loop's own tail.
func measureTail(s *session) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	log, err := s.rolling(w, "log")
	if err != nil {
		return err
	}
	full, err := s.ask(w, task{Job: "append", Dir: log, Size: record, For: 500 * time.Millisecond})
	if err != nil {
		return err
	}
	rate := full.rate() / 2
	n := int64(rate * s.slice(700*time.Millisecond, 300*time.Millisecond).Seconds())
	raw, own := &timing{}, &timing{}
	paced := func(t task, into *timing) side {
		return func() (float64, error) {
			r, err := s.ask(w, t)
			if err != nil {
				return 0, err
			}
			return into.add(r.Histogram)
		}
	}
	if _, err := s.takeTurns(s.pairs(7, 3),
		paced(task{Job: "paced-limit", Dir: s.path("ring"), Bytes: s.kept(), Size: record, Rate: rate, N: n}, raw),
		paced(task{Job: "paced-append", Dir: log, Size: record, Rate: rate, N: n}, own)); err != nil {
		return err
	}
	l := report.Paired("tail", "append at half of full rate, p99.99, through rolls", "µs", "limit loop", micro(own.p9999), micro(raw.p9999))
	l.Ratio, l.Compare = stat.Of(stat.Differences(micro(own.p9999), micro(raw.p9999))), "difference, µs"
	s.add(l.Judged("≤ 50 µs more", l.Ratio.Median <= 50).Noted("at %s records/s, some %.0f segments a pair",
		report.Number(rate), float64(n*(record+frameHeader))/float64(mlog.DefaultSegmentBytes)))
	s.add(report.Paired("tail", "the same, p50", "µs", "limit loop", micro(own.p50), micro(raw.p50)))
	s.curves("append at half of full rate, through rolls", map[string]*timing{"mlog": own, "limit loop": raw}, "mlog", "limit loop")
	return nil
}

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
	if err != nil {
		return reply{}, err
	}
	encoded, err := h.EncodeV2()
	return reply{Records: t.N, Histogram: encoded}, err
}
