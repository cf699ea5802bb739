package main

import (
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/stat"
)

// measureContend has four processes append to one log at once, in turns with one
// of them doing so alone, which is the limit: four that take turns with one lock
// can at best go on where one alone would have.
func measureContend(s *session) error {
	const producers = 4
	workers, err := s.startN(producers)
	if err != nil {
		return err
	}
	log, err := s.rolling(workers[0], "log")
	if err != nil {
		return err
	}
	slice := s.slice(300*time.Millisecond, 150*time.Millisecond)
	t := task{Job: "append", Dir: log, Size: record, For: slice, Bytes: s.kept()}
	if _, err := s.askAll(workers, task{Job: "open", Dir: log, Bytes: s.kept()}); err != nil {
		return err
	}
	var fairness []float64
	round := 0
	alone := func() (float64, error) {
		round++
		return s.rateOf(workers[round%producers], t)()
	}
	together := func() (float64, error) {
		replies, err := s.askAll(workers, t)
		if err != nil {
			return 0, err
		}
		rate, shares := total(replies)
		if round > 1 { // the first round is for warming up
			fairness = append(fairness, stat.Of(shares).Min/(sum(shares)/producers))
		}
		return rate, nil
	}
	figures, err := s.takeTurns(s.pairs(11, 5), alone, together)
	if err != nil {
		return err
	}
	s.add(report.Paired("contend", "append 256 B, 4 processes contending, in all", "records/s", "1 producer", figures[1], figures[0]).
		AtLeast(0.5, "≥ 0.5"))
	fair := report.Single("contend", "the slowest of the 4 relative to their mean", "", fairness)
	s.add(fair.Judged("≥ 0.5", fair.Ratio.Median >= 0.5).Noted("over slices of %v", slice))
	return nil
}

// total returns the records a second of all who worked at the same time, from
// the first's beginning to the last's end, and how many each had.
func total(replies []reply) (rate float64, shares []float64) {
	all := replies[0]
	all.Records = 0
	for _, r := range replies {
		all.Began, all.Ended = min(all.Began, r.Began), max(all.Ended, r.Ended)
		all.Records += r.Records
		shares = append(shares, float64(r.Records))
	}
	return all.rate(), shares
}

func sum(figures []float64) (s float64) {
	for _, f := range figures {
		s += f
	}
	return s
}
