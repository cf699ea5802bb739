// Package stat says how repeated figures are summed up here: by median, with the
// quartiles and extremes as their spread. No mean, no standard deviation: what
// disturbs a measurement only ever slows it down, so the figures are skewed.
package stat

import (
	"math"
	"slices"
)

// A Spread sums up figures of one kind. The zero value is that of no figures.
type Spread struct {
	N      int     `json:"n"`
	Min    float64 `json:"min"`
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
	Max    float64 `json:"max"`
}

// Of returns the spread of the figures, which it leaves as they are.
func Of(figures []float64) Spread {
	if len(figures) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(figures))
	return Spread{
		N:      len(sorted),
		Min:    sorted[0],
		Q1:     quantile(sorted, 0.25),
		Median: quantile(sorted, 0.5),
		Q3:     quantile(sorted, 0.75),
		Max:    sorted[len(sorted)-1],
	}
}

// Median returns the middle of the figures, and NaN if there are none.
func Median(figures []float64) float64 { return Quantile(figures, 0.5) }

// Quantile returns the figure below which the part q (0 to 1) of all lies,
// interpolated between neighbours. It is NaN if there are none.
func Quantile(figures []float64, q float64) float64 {
	if len(figures) == 0 {
		return math.NaN()
	}
	return quantile(slices.Sorted(slices.Values(figures)), q)
}

func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// Ratios divides a by b, pair by pair, so that whatever slowed both down drops
// out. They must be of the same length.
func Ratios(a, b []float64) []float64 {
	return pairwise(a, b, func(x, y float64) float64 { return x / y })
}

// Differences takes b from a, pair by pair.
func Differences(a, b []float64) []float64 {
	return pairwise(a, b, func(x, y float64) float64 { return x - y })
}

func pairwise(a, b []float64, f func(x, y float64) float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = f(a[i], b[i])
	}
	return out
}

// MedianError estimates how far the median of these figures may be from that of
// infinitely many: the half width of an interval that holds it some 95 times in a
// hundred. It comes from the quartiles (for a normal distribution the median's
// standard error is 1.2533 σ/√n, and σ the distance between the quartiles divided
// by 1.349), so a few wild figures do not blow it up.
func MedianError(figures []float64) float64 {
	s := Of(figures)
	if s.N < 2 {
		return math.Inf(1)
	}
	sigma := (s.Q3 - s.Q1) / 1.349
	return 1.96 * 1.2533 * sigma / math.Sqrt(float64(s.N))
}
