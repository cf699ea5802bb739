package check

import "fmt"

// A Batch is where some records stand in a segment.
type Batch struct {
	Position int64
	Bytes    int64 // header and body, without padding
	Offset   int64 // of the first record
	Count    int
	Time     int64
	Lost     bool // its records are lost to damage
}

const (
	hasKeys    = 0x01
	hasHeaders = 0x02
	isLost     = 0x40
	isEnd      = 0x80
)

// A found is what stands at a position of a segment.
type found int

const (
	nothing found = iota // a commit word of zero
	batch
	lost
	end
	wrong
)

// batchAt looks at the position at which the record with the offset due belongs.
func (s *segmentFile) batchAt(position, due int64) (found, Batch, error) {
	b := Batch{Position: position}
	size := int64(len(s.data))
	if position%alignment != 0 || position < headerBytes || position+batchHeader > size {
		return wrong, b, fmt.Errorf("no batch can begin here")
	}
	h := s.data[position:]
	if b.Bytes = int64(u32(h, 0)); b.Bytes == 0 {
		return nothing, b, nil
	}
	if b.Bytes < batchHeader || position+b.Bytes > size {
		return wrong, b, fmt.Errorf("a batch of %d bytes", b.Bytes)
	}
	attributes := h[4]
	b.Count, b.Offset, b.Time = u24(h, 5), i64(h, 8), i64(h, 16)
	if want := batchChecksum(h[:b.Bytes], s.epoch, position); want != u64(h, 24) {
		return wrong, b, fmt.Errorf("checksum %#x of a batch of %d bytes, want %#x", u64(h, 24), b.Bytes, want)
	}
	switch {
	case attributes&^(hasKeys|hasHeaders|isLost|isEnd) != 0:
		return wrong, b, fmt.Errorf("unknown attributes %#x", attributes)
	case b.Offset < 0 || b.Offset > highestOffset:
		return wrong, b, fmt.Errorf("base offset %d", b.Offset)
	case b.Offset != due:
		return wrong, b, fmt.Errorf("base offset %d where %d is due", b.Offset, due)
	}
	if attributes&isEnd != 0 {
		if attributes != isEnd || b.Count != 0 || b.Bytes != endMarkerBytes {
			return wrong, b, fmt.Errorf("an end marker with attributes %#x, count %d, %d bytes", attributes, b.Count, b.Bytes)
		}
		return end, b, nil
	}
	if s.behind(b)+endMarkerBytes > size {
		return wrong, b, fmt.Errorf("no room for an end marker behind it")
	}
	if attributes&isLost != 0 {
		if attributes != isLost || int64(b.Count) > b.Bytes {
			return wrong, b, fmt.Errorf("lost records with attributes %#x, count %d, %d bytes", attributes, b.Count, b.Bytes)
		}
		return lost, b, nil
	}
	switch {
	case b.Count == 0:
		return wrong, b, fmt.Errorf("a batch without records")
	case b.Count > 1 && b.Bytes-batchHeader < int64(b.Count):
		return wrong, b, fmt.Errorf("%d records in %d bytes", b.Count, b.Bytes-batchHeader)
	}
	return batch, b, nil
}

// behind returns where the next batch begins.
func (s *segmentFile) behind(b Batch) int64 {
	return (b.Position + b.Bytes + alignment - 1) / alignment * alignment
}

// batchChecksum hashes 40 bytes: the salt, the header before its checksum, and
// the hash of the body.
func batchChecksum(b []byte, epoch uint64, position int64) uint64 {
	var hashed [40]byte
	put64(hashed[0:], epoch+uint64(position))
	copy(hashed[8:], b[:24])
	put64(hashed[32:], xxh64(b[batchHeader:]))
	return xxh64(hashed[:])
}
