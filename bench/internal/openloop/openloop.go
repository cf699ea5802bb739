// Package openloop measures latency as one meets it: work comes by the clock,
// whether or not the work before it is done.
//
// Coordinated omission is what a loop commits that sends the next record only when
// the last one is through: while the system stalls, it asks nothing of it, and a
// stall of 10 ms counts as one slow record instead of the thousand that would have
// come meanwhile. Here each record has a time at which it is DUE, by a schedule
// fixed beforehand, and its latency counts from then, however late it was sent.
package openloop

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// Percentiles are those that results report, in percent.
var Percentiles = []float64{50, 90, 99, 99.9, 99.99}

// A Schedule is when records are due: at equal distances, from Start on.
type Schedule struct {
	Start int64   // on the clock of shm.Now
	Rate  float64 // records a second
}

// Due returns when record i is due.
func (s Schedule) Due(i int64) int64 { return s.Start + int64(float64(i)*1e9/s.Rate) }

// Run calls send for records 0 to n-1, each when it is due, or at once if that
// time has passed already. pause is called while the time is yet to come.
func (s Schedule) Run(n int64, pause func(), send func(i, due int64) error) error {
	return s.run(n, shm.Now, pause, send)
}

func (s Schedule) run(n int64, now func() int64, pause func(), send func(i, due int64) error) error {
	for i := range n {
		due := s.Due(i)
		for now() < due {
			pause()
		}
		if err := send(i, due); err != nil {
			return err
		}
	}
	return nil
}

// Histogram returns one for latencies of 1 ns to a minute, to three digits.
func Histogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(time.Minute), 3)
}

// Record counts a latency. One that is out of range counts as the bound of it:
// left out it would flatter.
func Record(h *hdrhistogram.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns, 1), h.HighestTrackableValue())) // in range by construction
}

// Known returns the percentiles that so many records can tell: ten at least must
// lie beyond one.
func Known(count int64) []float64 {
	var known []float64
	for _, p := range Percentiles {
		if float64(count)*(100-p)/100 >= 10 {
			known = append(known, p)
		}
	}
	return known
}
