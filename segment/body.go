package segment

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// The body of a batch holds its records one after another:
//
//	[ key length + 1, or 0 for an absent key : uvarint ] [ key ]        if any record has a key
//	[ header count : uvarint ] { name length, name, value length, value } if any record has headers
//	[ value length : uvarint ]                                           unless the batch has one record
//	  value
//
// In a batch of one record the value is what remains of the body. So a record
// without key and headers costs its value and the 32-byte header, no more.

// A Body is the encoded body of a batch with what the header must say about it.
// Building it needs neither offset nor lock.
type Body struct {
	bytes   []byte
	count   int
	attrs   uint32
	sum     uint64 // xxhash64 of bytes, unless late
	late    bool   // sum is not known: Stage hashes what it wrote
	scratch []byte // reused between encodings; bytes may point into it
}

// Count returns the number of records.
func (b *Body) Count() int { return b.count }

// FrameLength returns the length of the batch with this body, without padding.
func (b *Body) FrameLength() int64 { return FrameBytes + int64(len(b.bytes)) }

// A TooLargeError says that a record or batch does not fit a segment.
type TooLargeError struct {
	Size int64 // of the encoded batch
	Max  int64 // what fits
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("batch of %d bytes is too large: at most %d bytes fit one segment", e.Size, e.Max)
}

// Encode makes b the body of a batch of these records, which must number at
// least one. The batch is refused, before memory is taken for it, if it would be
// longer than maxFrame. b keeps referring to the value of a lone plain record
// until the next Encode or Reset.
func (b *Body) Encode(records []Record, maxFrame int64) error {
	if len(records) == 0 {
		return fmt.Errorf("a batch must have at least one record")
	}
	if len(records) > MaxRecords {
		return fmt.Errorf("batch of %d records: at most %d are possible", len(records), MaxRecords)
	}
	if len(records) == 1 && records[0].Plain() {
		return b.EncodePlain(records[0].Value, false, maxFrame)
	}
	if b.appendPlain(records, maxFrame-FrameBytes) {
		return nil
	}
	// Not all are plain, or they do not fit: measured first, so that no memory is taken for
	// what is refused, and that for the others once.
	attrs, size, err := measure(records, maxFrame)
	if err != nil {
		return err
	}
	b.count, b.attrs, b.late = len(records), attrs, false
	b.bytes = slices.Grow(b.scratch[:0], int(size-FrameBytes))
	if b.scratch = b.bytes; attrs == 0 && b.appendPlain(records, maxFrame-FrameBytes) {
		return nil
	}
	for i := range records {
		b.bytes = appendRecord(b.bytes, &records[i], attrs, len(records) == 1)
	}
	b.scratch = b.bytes
	b.sum = xxhash.Sum64(b.bytes)
	return nil
}

// appendPlain is Encode for several records, provided that all are plain and take no more
// than most bytes, and no more than there is room for. It reports whether that is so.
//
// It goes through them once. Most batches are such, and to measure them before takes a
// third of the time that it takes to encode them.
func (b *Body) appendPlain(records []Record, most int64) bool {
	dst := b.scratch[:0]
	room := min(most, int64(cap(dst)))
	for i := range records {
		r := &records[i]
		n := len(r.Value)
		if !r.Plain() || int64(len(dst))+uvarintLen(uint64(n))+int64(n) > room {
			return false
		}
		if n < 0x80 {
			dst = append(dst, byte(n))
		} else {
			dst = binary.AppendUvarint(dst, uint64(n))
		}
		dst = append(dst, r.Value...)
	}
	b.count, b.attrs, b.late = len(records), 0, false
	b.bytes, b.scratch = dst, dst
	b.sum = xxhash.Sum64(dst)
	return true
}

// EncodePlain is Encode for one record that is plain: its value is the body, and
// is not copied. If late, its hash is left to Stage, which takes it from the copy
// in the segment: that takes less time in all, as the processor fetches the cache
// lines of the copy meanwhile, but more of it with the lock held.
func (b *Body) EncodePlain(value []byte, late bool, maxFrame int64) error {
	if size := FrameBytes + int64(len(value)); size > maxFrame {
		return &TooLargeError{Size: size, Max: maxFrame}
	}
	b.count, b.attrs, b.bytes, b.late = 1, 0, value, late
	if !late {
		b.sum = xxhash.Sum64(value)
	}
	return nil
}

// measure returns the attributes of a batch of these records and the length of
// its frame, or the error that they cannot be one.
func measure(records []Record, maxFrame int64) (attrs uint32, size int64, err error) {
	size = FrameBytes
	for i := range records {
		r := &records[i]
		if r.Key != nil {
			attrs |= attrKeys
		}
		if n := len(r.Headers); n > MaxHeaders {
			return 0, 0, fmt.Errorf("record with %d headers: at most %d are possible", n, MaxHeaders)
		} else if n > 0 {
			attrs |= attrHeaders
		}
		size += uvarintLen(uint64(len(r.Value))) + int64(len(r.Value))
	}
	if attrs != 0 {
		size = FrameBytes
		for i := range records {
			size += encodedSize(&records[i], attrs, len(records) == 1)
		}
	}
	if size > maxFrame {
		return 0, 0, &TooLargeError{Size: size, Max: maxFrame}
	}
	return attrs, size, nil
}

// maxKeptScratch bounds the memory that a pooled Body holds on to.
const maxKeptScratch = 1 << 20

// Reset forgets the records, so that b may be pooled without keeping a caller's
// memory or an outsized buffer alive.
func (b *Body) Reset() {
	b.bytes = nil
	if cap(b.scratch) > maxKeptScratch {
		b.scratch = nil
	}
}

func uvarintLen(n uint64) int64 {
	size := int64(1)
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func encodedSize(r *Record, attrs uint32, lone bool) int64 {
	size := int64(len(r.Value))
	if !lone {
		size += uvarintLen(uint64(len(r.Value)))
	}
	if attrs&attrKeys != 0 {
		size += uvarintLen(uint64(len(r.Key)+1)) + int64(len(r.Key))
	}
	if attrs&attrHeaders != 0 {
		size += uvarintLen(uint64(len(r.Headers)))
		for _, h := range r.Headers {
			size += uvarintLen(uint64(len(h.Key))) + int64(len(h.Key)) +
				uvarintLen(uint64(len(h.Value))) + int64(len(h.Value))
		}
	}
	return size
}

func appendRecord(dst []byte, r *Record, attrs uint32, lone bool) []byte {
	if attrs&attrKeys != 0 {
		if r.Key == nil {
			dst = append(dst, 0)
		} else {
			dst = binary.AppendUvarint(dst, uint64(len(r.Key))+1)
			dst = append(dst, r.Key...)
		}
	}
	if attrs&attrHeaders != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(r.Headers)))
		for _, h := range r.Headers {
			dst = binary.AppendUvarint(dst, uint64(len(h.Key)))
			dst = append(dst, h.Key...)
			dst = binary.AppendUvarint(dst, uint64(len(h.Value)))
			dst = append(dst, h.Value...)
		}
	}
	if !lone {
		dst = binary.AppendUvarint(dst, uint64(len(r.Value)))
	}
	return append(dst, r.Value...)
}
