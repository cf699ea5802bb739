package segment

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// checksum covers every header field and the body. The body's own hash goes
// into it as one word, so that a producer can compute that part before it holds
// the lock, which is when offset, time and position become known.
//
//	xxhash64( epoch+position | header[0:24] | xxhash64(body) )
func checksum(salt uint64, header []byte, bodySum uint64) uint64 {
	_ = header[23]
	return wordsSum(salt, binary.LittleEndian.Uint64(header[0:]), binary.LittleEndian.Uint64(header[8:]),
		binary.LittleEndian.Uint64(header[16:]), bodySum)
}

func bodySum(body []byte) uint64 { return xxhash.Sum64(body) }

// emptySum is the hash of an empty body.
var emptySum = xxhash.Sum64(nil)

// The primes of xxhash64.
const (
	prime1 = 11400714785074694791
	prime2 = 14029467366897019727
	prime3 = 1609587929392839161
	prime4 = 9650029242287828579

	word = 1<<64 - 1
)

// wordsSum is xxhash64 of five little-endian words. Each batch has its header
// hashed, so this is on the path of every record: with the words in registers it
// takes half of what the general function takes for 40 bytes in memory.
func wordsSum(a, b, c, d, e uint64) uint64 {
	v1 := mix((prime1+prime2)&word, a)
	v2 := mix(prime2, b)
	v3 := mix(0, c)
	v4 := mix(-prime1&word, d)
	h := bits.RotateLeft64(v1, 1) + bits.RotateLeft64(v2, 7) + bits.RotateLeft64(v3, 12) + bits.RotateLeft64(v4, 18)
	h = (h^mix(0, v1))*prime1 + prime4
	h = (h^mix(0, v2))*prime1 + prime4
	h = (h^mix(0, v3))*prime1 + prime4
	h = (h^mix(0, v4))*prime1 + prime4
	h += 40 // the number of bytes
	h = bits.RotateLeft64(h^mix(0, e), 27)*prime1 + prime4
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

func mix(lane, input uint64) uint64 { return bits.RotateLeft64(lane+input*prime2, 31) * prime1 }
