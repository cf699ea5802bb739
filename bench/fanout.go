package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureFanout has one producer append, in turns alone and with eight processes
// following. The limit is its own rate alone, since consumers take nothing from the
// log. Where there are not cores enough for all of them, the rate says who got the
// cores; the producer's CPU time per record says what the consumers cost it.
func measureFanout(s *session) error {
	const consumers = 8
	cpus := proc.CPUs()
	byRate := len(cpus) > consumers
	pin := func(i int) []int {
		if !byRate {
			return nil
		}
		return []int{cpus[i]}
	}
	producer, err := s.start(pin(0)...)
	if err != nil {
		return err
	}
	log, err := s.rolling(producer, "log")
	if err != nil {
		return err
	}
	all := []*proc.Worker{producer}
	slice := s.slice(300*time.Millisecond, 200*time.Millisecond)
	t := task{Job: "append", Dir: log, Size: record, For: slice}
	tasks := []task{t}
	for i := range consumers {
		w, err := s.start(pin(i + 1)...)
		if err != nil {
			return err
		}
		all = append(all, w)
		tasks = append(tasks, task{Job: "fan", Dir: log, For: slice, Size: record})
	}
	read := int64(0)
	figure := func(r reply) float64 {
		if byRate {
			return r.rate()
		}
		return float64(r.Records) / r.CPU.Seconds()
	}
	figures, err := s.takeTurns(s.pairs(9, 5), func() (float64, error) {
		r, err := s.ask(producer, t)
		return figure(r), err
	}, func() (float64, error) {
		replies, err := s.askAll(all, tasks...)
		if err != nil {
			return 0, err
		}
		for _, r := range replies[1:] {
			read += r.Records
		}
		return figure(replies[0]), nil
	})
	if err != nil {
		return err
	}
	unit, note := "records/s", "pinned to a core each"
	if !byRate {
		unit, note = "records/CPU s", fmt.Sprintf("by the producer's CPU time, since there are only %d cores", len(cpus))
	}
	if read == 0 {
		return errors.New("the consumers read nothing")
	}
	s.add(report.Paired("fanout", "1 producer with 8 following consumers, 256 B", unit, "alone", figures[1], figures[0]).
		AtLeast(0.8, "≥ 0.8").Noted("%s", note))
	return nil
}

// fanJob follows the log from its end, until the time is up.
func (w *worker) fanJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	proc.Until(t.At)
	r, err := l.log.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		return reply{}, err
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), t.For)
	defer cancel()
	for records := int64(0); ; records++ {
		rec, err := r.Next(ctx)
		var gone *mlog.RangeError
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return reply{Records: records}, nil
		case errors.As(err, &gone): // it got no core for so long that its place was dropped
			if err := r.SkipDamage(); err != nil && !errors.As(err, &gone) {
				return reply{}, err
			}
		case err != nil:
			return reply{}, err
		case len(rec.Value) != t.Size && len(rec.Value) != 4096: // of the rows' records, or of the log's first filling
			return reply{}, fmt.Errorf("a record of %d bytes", len(rec.Value))
		}
	}
}
