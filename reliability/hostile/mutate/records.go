package mutate

import (
	"bytes"
	"encoding/binary"
)

// A Record is what a log holds under an offset.
type Record struct {
	Offset int64
	Time   int64 // ns since 1970
	Key    []byte
	Value  []byte
}

// Positions returns where the batches of an honest segment begin.
func Positions(segment []byte) []int64 {
	var found []int64
	for pos := int64(HeaderBytes); ; {
		length, ok := lengthAt(segment, pos)
		if !ok {
			return found
		}
		found = append(found, pos)
		pos = (pos + length + 7) &^ 7
	}
}

// Holders are the batches of a log's segments, by what their headers say.
type Holders struct {
	candidates []candidate
}

type candidate struct {
	batch    []byte
	segment  []byte
	position int64
	base     int64
	count    int64
	verified bool
}

// FindHolders looks at every position of the segments, since damage may hide
// where batches begin.
func FindHolders(segments [][]byte) *Holders {
	h := &Holders{}
	for _, segment := range segments {
		for pos := int64(HeaderBytes); pos+BatchBytes <= int64(len(segment)); pos += 8 {
			length, ok := lengthAt(segment, pos)
			if !ok {
				continue
			}
			h.candidates = append(h.candidates, candidate{
				batch: segment[pos : pos+length], segment: segment, position: pos,
				base: int64(le.Uint64(segment[pos+8:])), count: int64(le.Uint32(segment[pos+4:]) >> 8),
			})
		}
	}
	return h
}

func (c *candidate) verifies(offEpoch int) bool {
	return le.Uint64(c.batch[24:]) == batchSum(c.segment, offEpoch, c.position, int64(len(c.batch)))
}

// Hold reports whether some batch verifies and holds this record.
func (h *Holders) Hold(r Record) bool {
	for i := range h.candidates {
		c := &h.candidates[i]
		if r.Offset < c.base || r.Offset-c.base >= c.count || int64(le.Uint64(c.batch[16:])) != r.Time {
			continue
		}
		if !c.verified && !c.verifies(offEpoch) && !c.verifies(offCopy+offEpoch) {
			continue
		}
		c.verified = true
		if found, ok := recordIn(c.batch, r.Offset-c.base); ok && equal(found, r) {
			return true
		}
	}
	return false
}

func equal(a, b Record) bool {
	return (a.Key == nil) == (b.Key == nil) && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
}

// recordIn decodes the record of this number of a batch.
func recordIn(batch []byte, number int64) (r Record, ok bool) {
	body := batch[BatchBytes:]
	attrs, count := batch[4], int64(le.Uint32(batch[4:])>>8)
	if attrs&^3 != 0 { // an end marker, or a mark of lost records
		return r, false
	}
	// take cuts a field of this many bytes off; a length that does not fit leaves
	// ok false for good.
	ok = true
	uvarint := func() uint64 {
		n, size := binary.Uvarint(body)
		if ok = ok && size > 0; !ok {
			return 0
		}
		body = body[size:]
		return n
	}
	take := func(n uint64) []byte {
		if ok = ok && n <= uint64(len(body)); !ok {
			return nil
		}
		field := body[:n:n]
		body = body[n:]
		return field
	}
	for i := int64(0); ok && i <= number; i++ {
		r = Record{}
		if attrs&1 != 0 {
			if n := uvarint(); n > 0 {
				r.Key = take(n - 1)
			}
		}
		if attrs&2 != 0 {
			for n := uvarint(); ok && n > 0; n-- {
				take(uvarint())
				take(uvarint())
			}
		}
		if count == 1 {
			r.Value = body
		} else {
			r.Value = take(uvarint())
		}
	}
	return r, ok
}
