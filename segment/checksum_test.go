package segment

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestWordsSum: the sum of five words is xxhash64 of their bytes.
func TestWordsSum(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		var w [5]uint64
		for i := range w {
			w[i] = random.Uint64() >> random.IntN(64)
		}
		var b []byte
		for _, n := range w {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
		if got, want := wordsSum(w[0], w[1], w[2], w[3], w[4]), xxhash.Sum64(b); got != want {
			t.Fatalf("%x: %#x, want %#x", w, got, want)
		}
	}
}
