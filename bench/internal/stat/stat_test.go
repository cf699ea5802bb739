package stat

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{1, 3, 3, 3, 3, 3}},
		{[]float64{4, 1}, Spread{2, 1, 1.75, 2.5, 3.25, 4}},
		{[]float64{5, 1, 4, 2, 3}, Spread{5, 1, 2, 3, 4, 5}},
		{[]float64{1, 1, 1, 100}, Spread{4, 1, 1, 1, 25.75, 100}},
	} {
		before := slices.Clone(c.in)
		if got := Of(c.in); got != c.want {
			t.Errorf("Of(%v) = %+v, want %+v", c.in, got, c.want)
		}
		if !slices.Equal(before, c.in) {
			t.Errorf("Of changed %v to %v", before, c.in)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

// What slows both of a pair down must not show in the ratio.
func TestRatiosArePaired(t *testing.T) {
	a, b := []float64{10, 1, 100}, []float64{20, 2, 200}
	if got := Of(Ratios(a, b)); got.Min != 0.5 || got.Max != 0.5 {
		t.Errorf("ratios of pairs spread from %v to %v, want 0.5", got.Min, got.Max)
	}
	if got := Differences(a, b); !slices.Equal(got, []float64{-10, -1, -100}) {
		t.Errorf("differences %v", got)
	}
}

// The interval must hold the true median about as often as it says.
func TestMedianErrorCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials = 2000
	covered := 0
	for range trials {
		figures := make([]float64, 25)
		for i := range figures {
			figures[i] = rng.NormFloat64()
		}
		if math.Abs(Median(figures)) <= MedianError(figures) {
			covered++
		}
	}
	if share := float64(covered) / trials; share < 0.88 || share > 0.99 {
		t.Errorf("the interval holds the median %.3f of the time, want about 0.95", share)
	}
	if !math.IsInf(MedianError([]float64{1}), 1) {
		t.Error("one figure tells how sure it is")
	}
}
