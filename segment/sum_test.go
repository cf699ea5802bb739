package segment

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestSumOfWords: the sum of five words is the xxhash64 of their bytes, as the
// format has it.
func TestSumOfWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		var w [5]uint64
		for j := range w {
			switch i % 3 {
			case 0:
				w[j] = rng.Uint64()
			case 1:
				w[j] = rng.Uint64() >> rng.IntN(64)
			case 2:
				w[j] = -(rng.Uint64() >> rng.IntN(64))
			}
		}
		var b [40]byte
		for j, v := range w {
			binary.LittleEndian.PutUint64(b[8*j:], v)
		}
		if got, want := sumWords(w[0], w[1], w[2], w[3], w[4]), xxhash.Sum64(b[:]); got != want {
			t.Fatalf("%#x: %#x, want %#x", w, got, want)
		}
		if got, want := checksum(w[0], b[8:32], w[4]), xxhash.Sum64(b[:]); got != want {
			t.Fatalf("checksum of %#x: %#x, want %#x", w, got, want)
		}
	}
}

// TestOpener: what is kept from the words before does not show.
func TestOpener(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var o opener
	b, d := rng.Uint64()|1, uint64(0)
	for range 10_000 {
		switch rng.IntN(6) {
		case 0:
			b = rng.Uint64() | 1
		case 1:
			d = rng.Uint64() >> rng.IntN(64)
		case 2:
			b, d = d|1, b
		}
		a, c := rng.Uint64(), rng.Uint64()
		if got, want := o.open(a, b, c, d), openSum(a, b, c, d); got != want {
			t.Fatalf("%#x %#x %#x %#x: %#x, want %#x", a, b, c, d, got, want)
		}
	}
}
