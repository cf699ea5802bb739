package check

import "encoding/binary"

func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
func i64(b []byte, at int) int64  { return int64(u64(b, at)) }

// u24 is the three-byte count of a batch.
func u24(b []byte, at int) int { return int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16 }

// firstNonzero returns where in b[from:to] the first byte is that is not zero,
// or -1.
func firstNonzero(b []byte, from, to int) int64 {
	for i := from; i < to; i++ {
		if b[i] != 0 {
			return int64(i)
		}
	}
	return -1
}

// uvarint takes an unsigned LEB128 number from the front of b: 1 to 10 bytes,
// below 2^64. Longer forms than needed are right.
func uvarint(b []byte) (n uint64, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 10; i++ {
		if i == 9 && b[i] > 1 {
			return 0, nil, false
		}
		n |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

// A Cursor is a place between two batches of a segment.
type Cursor struct {
	Position int64
	Count    int64 // records of the segment before it
}

const (
	headerBytes     = 4096
	headerCopy      = 2048
	copyBytes       = 80
	endMarkerBytes  = 32
	batchHeader     = 32
	alignment       = 8
	cursorPosBits   = 28
	cursorUnit      = 8
	highestOffset   = 1 << 62
	mostHeaders     = 1<<16 - 1
	leastSegment    = 65536
	mostSegment     = 1 << 30
	segmentSizeUnit = 4096
)

// cursorOf unpacks a word. An implausible one counts as the segment's beginning.
func cursorOf(word uint64, size int64) (c Cursor, plausible bool) {
	c.Position = int64(word&(1<<cursorPosBits-1)) * cursorUnit
	c.Count = int64(word >> cursorPosBits)
	start := Cursor{Position: headerBytes}
	switch {
	case c.Position < headerBytes, c.Position > size-endMarkerBytes, c.Count > size:
		return start, false
	case (c.Position == headerBytes) != (c.Count == 0):
		return start, false
	}
	return c, true
}

func put64(b []byte, n uint64) { binary.LittleEndian.PutUint64(b, n) }
