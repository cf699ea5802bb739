package segment

import (
	"encoding/binary"
	"math/bits"
)

// checksum covers every header field and the body. The body's own hash goes
// into it as one word, so that a producer can compute that part before it holds
// the lock, which is when offset, time and position become known.
//
//	xxhash64( epoch+position | header[0:24] | xxhash64(body) )
func checksum(salt uint64, header []byte, bodySum uint64) uint64 {
	_ = header[23]
	return sumWords(salt,
		binary.LittleEndian.Uint64(header[0:]),
		binary.LittleEndian.Uint64(header[8:]),
		binary.LittleEndian.Uint64(header[16:]), bodySum)
}

// The constants of xxHash64.
const (
	prime1 = 11400714785074694791
	prime2 = 14029467366897019727
	prime3 = 1609587929392839161
	prime4 = 9650029242287828579
)

// sumWords is xxhash64 of five words that follow one another in memory, without
// the memory. The last one, which the others' part does not wait for, is the
// body's hash.
func sumWords(a, b, c, d, last uint64) uint64 { return closeSum(openSum(a, b, c, d), last) }

// openSum is what of sumWords the last word is not needed for.
func openSum(a, b, c, d uint64) uint64 {
	var p1 uint64 = prime1 // a variable: the sum of the constants overflows, as it must
	v1 := lane(p1+prime2, a)
	v2 := lane(prime2, b)
	v3 := lane(0, c)
	v4 := lane(-p1, d)
	h := bits.RotateLeft64(v1, 1) + bits.RotateLeft64(v2, 7) + bits.RotateLeft64(v3, 12) + bits.RotateLeft64(v4, 18)
	h = (h^lane(0, v1))*prime1 + prime4
	h = (h^lane(0, v2))*prime1 + prime4
	h = (h^lane(0, v3))*prime1 + prime4
	h = (h^lane(0, v4))*prime1 + prime4
	return h + 5*8
}

// An opener computes openSum for headers that follow one another. Their lengths and
// times are often the same, so it keeps what it computed from those two words: 8 of
// 20 multiplications.
type opener struct {
	b, d   uint64
	v2, v4 uint64 // their lanes
	m2, m4 uint64 // what the lanes add to the sum
}

// open is openSum. The word b is never 0, since the length of a batch is part of it.
func (o *opener) open(a, b, c, d uint64) uint64 {
	var p1 uint64 = prime1
	if b != o.b || d != o.d {
		o.b, o.v2 = b, lane(prime2, b)
		o.d, o.v4 = d, lane(-p1, d)
		o.m2, o.m4 = lane(0, o.v2), lane(0, o.v4)
	}
	v1, v3 := lane(p1+prime2, a), lane(0, c)
	h := bits.RotateLeft64(v1, 1) + bits.RotateLeft64(o.v2, 7) + bits.RotateLeft64(v3, 12) + bits.RotateLeft64(o.v4, 18)
	h = (h^lane(0, v1))*prime1 + prime4
	h = (h^o.m2)*prime1 + prime4
	h = (h^lane(0, v3))*prime1 + prime4
	h = (h^o.m4)*prime1 + prime4
	return h + 5*8
}

func closeSum(h, last uint64) uint64 {
	h ^= lane(0, last)
	h = bits.RotateLeft64(h, 27)*prime1 + prime4
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

func lane(v, word uint64) uint64 {
	return bits.RotateLeft64(v+word*prime2, 31) * prime1
}
