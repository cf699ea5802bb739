package main

import (
	"math/rand/v2"
	"testing"
)

// noisy returns figures around rate, each slowed down at random by up to share, as
// other users of a machine do.
func noisy(rng *rand.Rand, n int, rate, share float64) []float64 {
	figures := make([]float64, n)
	for i := range figures {
		figures[i] = rate * (1 - share*rng.Float64())
	}
	return figures
}

func TestJudge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const trials, rate = 500, 1e6
	for _, c := range []struct {
		name        string
		now, noise  float64
		least, most int // of the trials that find it worse
	}{
		{"equal", 1, 0.05, 0, 0},
		{"equal, on a busy machine", 1, 0.5, 0, trials / 50},
		{"5 % slower", 0.95, 0.05, 0, 0},
		{"25 % more time", 1 / 1.25, 0.05, trials, trials},
		{"25 % more time, on a busy machine", 1 / 1.25, 0.4, trials * 95 / 100, trials},
		{"faster", 2, 0.05, 0, 0},
	} {
		worse := 0
		for range trials {
			o := judge(c.name, noisy(rng, gatePairs, rate, c.noise), noisy(rng, gatePairs, rate, c.noise), noisy(rng, gatePairs, rate*c.now, c.noise))
			if o.bound < leastLoss {
				t.Fatalf("%s: the bound is %v", c.name, o.bound)
			}
			if o.worse {
				worse++
			}
			if o.unsure && c.noise < 0.3 {
				t.Errorf("%s: unsure with noise of %v", c.name, o.bound)
			}
		}
		if worse < c.least || worse > c.most {
			t.Errorf("%s: found worse %d times of %d, want %d to %d", c.name, worse, trials, c.least, c.most)
		}
	}
}

// Where the same program differs from itself by a third, a loss of a fifth says
// nothing.
func TestNoiseRaisesTheBound(t *testing.T) {
	old1, old2, now := make([]float64, 17), make([]float64, 17), make([]float64, 17)
	for i := range old1 {
		old1[i], old2[i], now[i] = 100, 70, 65
	}
	if o := judge("", old1, old2, now); o.worse || o.bound < 0.29 || !o.unsure {
		t.Errorf("worse %v with a bound of %v, unsure %v", o.worse, o.bound, o.unsure)
	}
}
