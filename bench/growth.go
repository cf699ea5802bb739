package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/chart"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"
	"github.com/seed27ccf144/mlog/bench/internal/stat"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureGrowth lets a log grow without a bound, and at certain sizes measures two
// things: what an append costs, in turns with a loop that writes the same fresh
// bytes, and how long a fresh process takes from opening the log to its first
// append when the producer before it was killed with SIGKILL in the middle of
// appending.
func measureGrowth(s *session) error {
	if s.measures("idle") {
		if err := s.startIdlers(); err != nil {
			return err
		}
	}
	sizes := []int64{1, 4, 16}
	if s.options.quick {
		sizes = []int64{1}
	}
	var relative, own [][2]float64
	began := time.Now()
	reached, unsure := int64(0), 0.0
	for _, size := range sizes {
		if why := s.cannotGrow(reached, size, time.Since(began)); why != "" {
			s.add(report.Missing("growth", fmt.Sprintf("open and first append after kill -9, %d GiB", size), "≤ 5 ms", why))
			continue
		}
		s.progress.step(int(size), int(sizes[len(sizes)-1]))
		if err := s.growTo(size - reached); err != nil {
			return err
		}
		reached = size
		if err := s.reopen(size); err != nil {
			return err
		}
		costs, err := s.costOfAppend()
		if err != nil {
			return err
		}
		ratios := stat.Ratios(costs[1], costs[0])
		relative = append(relative, [2]float64{float64(size), stat.Median(ratios)})
		unsure = max(unsure, stat.MedianError(ratios)/stat.Median(ratios))
		own = append(own, [2]float64{float64(size), stat.Median(costs[1])})
		s.add(report.Paired("growth", fmt.Sprintf("append 256 B to an uncapped log of %d GiB", size), "ns/record", "the same fresh bytes", costs[1], costs[0]))
	}
	s.report.Curves = append(s.report.Curves, report.Curve{Plot: chart.Growth, Name: "mlog", Points: own})
	s.flatness(relative, unsure)
	return nil
}

// growthBudget is how long the row may go on before it takes no further size up.
const growthBudget = 40 * time.Second

func (s *session) cannotGrow(reached, size int64, took time.Duration) string {
	if need := (size - reached + 2) << 30; s.room() < need {
		return fmt.Sprintf("%d GiB are free, it takes %d", s.room()>>30, need>>30)
	}
	if took > growthBudget {
		return fmt.Sprintf("the disk took %.0f s for %d GiB; more would go beyond five minutes", took.Seconds(), reached)
	}
	return ""
}

// growTo appends so many GiB by large batches, and waits until they are on disk:
// else what follows would be measured against the system's writing back.
func (s *session) growTo(gib int64) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	for range gib {
		if _, err := s.ask(w, task{Job: "open", Dir: s.path("log"), N: 1 << 30}); err != nil {
			return err
		}
		if _, err := s.ask(w, task{Job: "sync", Dir: s.path("log")}); err != nil {
			return err
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	w.Close()
	return nil
}

// reopen kills a producer at work several times, and measures what the next one
// needs.
func (s *session) reopen(gib int64) error {
	var times []float64
	for range s.pairs(5, 3) {
		victim, err := s.start()
		if err != nil {
			return err
		}
		if _, err := s.ask(victim, task{Job: "open", Dir: s.path("log")}); err != nil {
			return err
		}
		if err := victim.Send(task{Job: "append", Dir: s.path("log"), Size: record, For: time.Minute}); err != nil {
			return err
		}
		time.Sleep(30 * time.Millisecond)
		victim.Kill()
		next, err := s.start()
		if err != nil {
			return err
		}
		r, err := s.ask(next, task{Job: "first-append", Dir: s.path("log"), Size: record})
		if err != nil {
			return err
		}
		times = append(times, r.Value)
		next.Close()
	}
	l := report.Single("growth", fmt.Sprintf("open and first append after kill -9, %d GiB", gib), "ms", times)
	s.add(l.Judged("≤ 5 ms", l.Mlog <= 5))
	return nil
}

// chunk is how many bytes each side writes in its turn while both grow: so few that
// what the machine does, which changes from second to second where pages are new,
// meets both sides of a pair; and more than the 16 MiB that mlog makes ready ahead, or
// it would have that done in the other side's time.
const chunk = 32 << 20

// costOfAppend returns nanoseconds per record: of the limit loop, and of mlog.
func (s *session) costOfAppend() ([][]float64, error) {
	w, err := s.start()
	if err != nil {
		return nil, err
	}
	n := int64(chunk / (record + frameHeader))
	cost := func(t task) side {
		return func() (float64, error) {
			r, err := s.ask(w, t)
			return 1e9 / r.rate(), err
		}
	}
	limit := task{Job: "limit-fresh", Dir: s.path("fresh"), N: n, Size: record}
	// Not many more: from some 2 GiB on that are not on disk, a tenth of the memory here,
	// the system begins to write them.
	figures, err := s.takeTurns(s.pairs(25, 3), cost(limit), cost(task{Job: "append", Dir: s.path("log"), N: n, Size: record}))
	w.Close()
	if rerr := os.Remove(limit.Dir); err == nil {
		err = rerr
	}
	return figures, err
}

// flatness judges how much the cost relative to the limit loop changes with size.
// unsure is how far, as a share, the least certain of these figures may be off.
func (s *session) flatness(relative [][2]float64, unsure float64) {
	const what, goal = "append cost from the smallest to the largest log", "flat within 10 %"
	if len(relative) < 2 {
		s.add(report.Missing("growth", what, goal, "there is but one size in this run"))
		return
	}
	low, high := math.Inf(1), 0.0
	for _, r := range relative {
		low, high = min(low, r[1]), max(high, r[1])
	}
	l := report.Single("growth", what+", relative to the limit loop", "highest/lowest", []float64{high / low})
	s.add(l.Judged(goal, high/low <= 1.1).Noted("from %v to %v GiB; each size's ratio is known to %.0f %%",
		relative[0][0], relative[len(relative)-1][0], 100*unsure))
}

// limitFreshJob is the limit loop of growing: it has more blocks allocated at the end
// of its file, maps them, and writes the records there as the ring does. Each page is
// touched for the first time, and that work of the kernel's cannot be avoided by
// one who keeps what was there before.
func (w *worker) limitFreshJob(t task) (reply, error) {
	bytes := int64(ringData) + t.N*int64(t.Size+frameHeader)
	began := shm.Now()
	b, err := shm.Grow(t.Dir, bytes)
	if err != nil {
		return reply{}, err
	}
	r := &ring{b: b, data: b[ringData:], frame: t.Size + frameHeader, slots: t.N}
	for i := range t.N {
		r.put(w.payload(i, t.Size))
	}
	ended := shm.Now()
	if err := shm.Close(b); err != nil {
		return reply{}, err
	}
	return reply{Records: t.N, Began: began, Ended: ended}, nil
}

// firstAppendJob times a producer's beginning, in milliseconds.
func (w *worker) firstAppendJob(t task) (reply, error) {
	value := w.payload(0, t.Size)
	began := shm.Now()
	l, err := mlog.Open(t.Dir, mlog.Options{FlushEvery: -1, MustExist: true})
	if err != nil {
		return reply{}, err
	}
	writer, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		return reply{}, err
	}
	if _, err := writer.Append(context.Background(), mlog.Record{Value: value}); err != nil {
		return reply{}, err
	}
	took := float64(shm.Now()-began) / 1e6
	return reply{Value: took}, l.Close()
}
