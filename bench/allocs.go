package main

import (
	"context"
	"runtime"

	"github.com/seed27ccf144/mlog/bench/internal/report"

	mlog "github.com/seed27ccf144/mlog/log"
)

// allocsWindow is how many calls are counted together: so few that no roll falls into
// most windows.
const allocsWindow = 10_000

// measureAllocs counts what goes to the heap, of all that a process does while it
// appends or reads, in windows of so many calls. The limit is none, and that is judged
// by the median window: one without a new segment, which comes once in some 230,000
// records, and whose files and names do take some. How many is shown beside it.
func measureAllocs(s *session) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	log, err := s.rolling(w, "log")
	if err != nil {
		return err
	}
	const windows = 50
	for _, what := range []string{"append", "read"} {
		r, err := s.ask(w, task{Job: "allocs-" + what, Dir: log, Size: record, N: windows * allocsWindow})
		if err != nil {
			return err
		}
		perCall := make([]float64, len(r.Values))
		for i, v := range r.Values {
			perCall[i] = v / allocsWindow
		}
		l := report.Single("allocs", "heap allocations per "+what, "", perCall)
		s.add(l.Judged("0", l.Mlog == 0).Noted("median of %d windows of %s calls", windows, report.Number(allocsWindow)))
		segments := float64(windows*allocsWindow*(record+frameHeader)) / float64(mlog.DefaultSegmentBytes)
		s.add(report.Single("allocs", "heap allocations per new segment, "+what, "", []float64{sum(r.Values) / segments}).
			Noted("all that there were, by %.1f segments", segments))
	}
	return nil
}

// allocsAppendJob counts the allocations of N appends, window by window.
func (w *worker) allocsAppendJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	ctx := context.Background()
	return mallocs(t.N, func(i int64) error {
		_, err := l.visible.Append(ctx, mlog.Record{Value: w.payload(i, t.Size)})
		return err
	})
}

// allocsReadJob counts those of reading the log's last N records.
func (w *worker) allocsReadJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	ctx := context.Background()
	next, err := l.log.EndOffset()
	if err != nil {
		return reply{}, err
	}
	r, err := l.log.Reader(mlog.ReaderOptions{From: mlog.At(next - t.N)})
	if err != nil {
		return reply{}, err
	}
	defer r.Close()
	return mallocs(t.N, func(int64) error {
		_, err := r.Next(ctx)
		return err
	})
}

// mallocs returns the heap allocations of the process in each window of n calls.
func mallocs(n int64, call func(i int64) error) (reply, error) {
	var before, after runtime.MemStats
	counts := make([]float64, 0, n/allocsWindow)
	for i := range n {
		if i%allocsWindow == 0 {
			runtime.ReadMemStats(&before)
		}
		if err := call(i); err != nil {
			return reply{}, err
		}
		if i%allocsWindow == allocsWindow-1 {
			runtime.ReadMemStats(&after)
			counts = append(counts, float64(after.Mallocs-before.Mallocs))
		}
	}
	return reply{Records: n, Values: counts}, nil
}
