package openloop

import (
	"slices"
	"testing"
	"time"
)

// A stall must cost every record that was due during it, not just the one that
// met it.
func TestStallCountsForAllThatWereDue(t *testing.T) {
	const (
		interval = int64(time.Millisecond)
		stall    = 100 * interval
		n        = 1000
	)
	clock := int64(0)
	h := Histogram()
	s := Schedule{Start: 0, Rate: float64(time.Second) / float64(interval)}
	err := s.run(n, func() int64 { return clock }, func() { clock += interval / 10 }, func(i, due int64) error {
		clock += 1000 // what a record costs
		if i == 500 {
			clock += stall
		}
		Record(h, clock-due)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.TotalCount(); got != n {
		t.Fatalf("%d records counted, want %d", got, n)
	}
	// A hundred were due during the stall; they waited 100, 99, … ms.
	late := int64(0)
	for _, bar := range h.Distribution() {
		if bar.From >= interval/2 {
			late += bar.Count
		}
	}
	if late < 95 || late > 105 {
		t.Errorf("%d records were late, want about 100", late)
	}
	if p99 := h.ValueAtQuantile(99); p99 < 85*interval || p99 > 95*interval {
		t.Errorf("p99 is %v, want about 90 ms", time.Duration(p99))
	}
	if p50 := h.ValueAtQuantile(50); p50 > interval {
		t.Errorf("p50 is %v", time.Duration(p50))
	}
}

func TestDueDoesNotDrift(t *testing.T) {
	s := Schedule{Start: 5, Rate: 3}
	if got, want := s.Due(3_000_000), 5+1_000_000*int64(time.Second); got != want {
		t.Errorf("record 3,000,000 at 3 a second is due at %d, want %d", got, want)
	}
}

func TestOutOfRangeIsNotDropped(t *testing.T) {
	h := Histogram()
	Record(h, -5)
	Record(h, int64(time.Hour))
	if h.TotalCount() != 2 || h.Max() < int64(59*time.Second) {
		t.Errorf("%d counted, the longest %v", h.TotalCount(), time.Duration(h.Max()))
	}
}

func TestKnown(t *testing.T) {
	if got := Known(1000); !slices.Equal(got, []float64{50, 90, 99}) {
		t.Errorf("1000 records tell %v", got)
	}
	if got := Known(100_000); !slices.Equal(got, Percentiles) {
		t.Errorf("100,000 records tell %v", got)
	}
}
