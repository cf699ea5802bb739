package harness

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/cespare/xxhash/v2"
)

// HeaderBytes is the length of the shortest record. A record is, little-endian,
//
//	0  8  xxhash64 (seed 0) of all that follows, or 0 if nobody is to check it
//	8  8  producer << 48 | sequence number from 0
//	16 8  time due in ns (latency) or 0; the top bit marks the producer's last record
//	24    filler, which differs from record to record
const HeaderBytes = 24

const (
	maxSize      = 1 << 20
	fillerBlock  = 1 << 16
	fillerStep   = 4093 * 8 // odd multiple of 8: visits every eighth place of the block
	sequenceBits = 48
	lastMark     = uint64(1) << 63
)

// A maker makes records of one size.
type maker struct {
	size   int
	hash   bool
	filler []byte // fillerBlock bytes and one record more
}

func newMaker(size int, hash bool) *maker {
	m := &maker{size: size, hash: hash, filler: make([]byte, fillerBlock+size)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range m.filler {
		m.filler[i] = byte(r.Uint32())
	}
	return m
}

// put writes a record into dst, which has m.size bytes.
func (m *maker) put(dst []byte, producer int, seq uint64, due int64, last bool) {
	dst = dst[:m.size]
	word := uint64(due)
	if last {
		word |= lastMark
	}
	binary.LittleEndian.PutUint64(dst[8:], uint64(producer)<<sequenceBits|seq)
	binary.LittleEndian.PutUint64(dst[16:], word)
	copy(dst[HeaderBytes:], m.filler[seq*fillerStep%fillerBlock:])
	var sum uint64
	if m.hash {
		sum = xxhash.Sum64(dst[8:])
	}
	binary.LittleEndian.PutUint64(dst, sum)
}

// A checker checks that each producer's records come once and in order.
type checker struct {
	size    int
	hash    bool
	next    []uint64 // sequence number, by producer
	ended   []bool   // had the last record, by producer
	waiting int      // producers whose last record is to come
	count   int64
}

func newChecker(size, producers int, hash bool) *checker {
	return &checker{size: size, hash: hash, next: make([]uint64, producers), ended: make([]bool, producers), waiting: producers}
}

// take checks a record and returns its time due.
func (c *checker) take(rec []byte) (due int64, err error) {
	if len(rec) != c.size {
		return 0, fmt.Errorf("record %d has %d bytes instead of %d", c.count, len(rec), c.size)
	}
	if c.hash && xxhash.Sum64(rec[8:]) != binary.LittleEndian.Uint64(rec) {
		return 0, fmt.Errorf("record %d is corrupt: its hash differs", c.count)
	}
	word := binary.LittleEndian.Uint64(rec[8:])
	producer, seq := word>>sequenceBits, word&(1<<sequenceBits-1)
	if producer >= uint64(len(c.next)) {
		return 0, fmt.Errorf("record %d is corrupt: there is no producer %d", c.count, producer)
	}
	if seq != c.next[producer] || c.ended[producer] {
		return 0, c.misplaced(producer, seq)
	}
	c.next[producer]++
	c.count++
	word = binary.LittleEndian.Uint64(rec[16:])
	if word&lastMark != 0 {
		c.ended[producer] = true
		c.waiting--
	}
	return int64(word &^ lastMark), nil
}

func (c *checker) misplaced(producer, seq uint64) error {
	next := c.next[producer]
	switch {
	case c.ended[producer]:
		return fmt.Errorf("producer %d: record %d after the last one, %d", producer, seq, next-1)
	case seq < next:
		return fmt.Errorf("producer %d: record %d again or out of order, expected %d", producer, seq, next)
	default:
		return fmt.Errorf("producer %d: records %d to %d are lost or out of order", producer, next, seq-1)
	}
}
