package main

import (
	"testing"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		rates []float64
		want  Spread
	}{
		{[]float64{5}, Spread{5, 5, 5}},
		{[]float64{30, 10}, Spread{10, 20, 30}},
		{[]float64{9, 1, 2}, Spread{1, 2, 9}},
		{[]float64{4, 1, 3, 2}, Spread{1, 2.5, 4}},
	} {
		var cell Cell
		for _, r := range test.rates {
			cell.Samples = append(cell.Samples, Sample{Rate: r})
		}
		if got, ok := cell.spreadOf(rate); !ok || got != test.want {
			t.Errorf("%v: %v, want %v", test.rates, got, test.want)
		}
	}
	if _, ok := (*Cell)(nil).spreadOf(rate); ok {
		t.Error("nothing has a spread")
	}
	if got := (Spread{90, 100, 120}).percent(); got != 15 {
		t.Errorf("half of the range is %g %%, want 15", got)
	}
}

func TestNumbers(t *testing.T) {
	for rate, want := range map[float64]string{
		0.123: "0.123", 7: "7.00", 412.4: "412", 999.4: "999", 999.6: "1.00 k", 12_345: "12.3 k", 999_400: "999 k",
		999_600: "1.00 M", 1_234_567: "1.23 M", 12_345_678: "12.3 M",
	} {
		if got := perSecond(rate); got != want {
			t.Errorf("%g: %q, want %q", rate, got, want)
		}
	}
	for ns, want := range map[int64]string{150: "0.150 µs", 1_000: "1.00 µs", 36_049: "36.0 µs", 1_234_567: "1235 µs"} {
		if got := micros(ns); got != want {
			t.Errorf("%d ns: %q, want %q", ns, got, want)
		}
	}
}

// Each case must stand in exactly one table, or nobody would see it.
func TestEveryCaseIsInATable(t *testing.T) {
	count := map[Case]int{}
	for _, cols := range [][]column{columns(harness.Append), columns(harness.Stream),
		columns("durable", harness.Append, harness.Replay), columns(harness.Latency)} {
		for _, c := range cols {
			count[c.which]++
		}
	}
	for _, c := range matrix() {
		if count[c] != 1 {
			t.Errorf("%v is in %d tables", c, count[c])
		}
	}
}

func TestCaseNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range matrix() {
		if seen[c.String()] {
			t.Errorf("two cases are called %v", c)
		}
		seen[c.String()] = true
	}
}
