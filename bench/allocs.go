package main

import (
	"context"
	"runtime"

	"github.com/seed27ccf144/mlog/bench/internal/report"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureAllocs counts what goes to the heap, of all that a process does while it
// appends or reads: new segments too, which come once in some 200,000 records.
// The limit is none.
func measureAllocs(s *session) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	log, err := s.rolling(w, "log")
	if err != nil {
		return err
	}
	r, err := s.ask(w, task{Job: "allocs", Dir: log, Size: record, N: 500_000})
	if err != nil {
		return err
	}
	for i, what := range []string{"append", "read"} {
		l := report.Single("allocs", "heap allocations per "+what, "", []float64{r.Values[i]})
		// As testing.AllocsPerRun counts: what does not come to one in a hundred calls
		// is not the call's own.
		s.add(l.Judged("0", r.Values[i] < 0.01).Noted("%.0f in %s calls, of new segments", r.Values[i]*500_000, "500,000"))
	}
	return nil
}

func (w *worker) allocsJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	ctx := context.Background()
	r, err := l.log.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		return reply{}, err
	}
	defer r.Close()
	appends, err := mallocs(t.N, func(i int64) error {
		_, err := l.visible.Append(ctx, mlog.Record{Value: w.payload(i, t.Size)})
		return err
	})
	if err != nil {
		return reply{}, err
	}
	reads, err := mallocs(t.N, func(int64) error {
		_, err := r.Next(ctx)
		return err
	})
	return reply{Values: []float64{appends, reads}}, err
}

// mallocs returns the heap allocations of the process per call.
func mallocs(n int64, call func(i int64) error) (float64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range n {
		if err := call(i); err != nil {
			return 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(n), nil
}
