// Package index is the sparse index of a segment: for each stretch of the
// segment's file one batch that begins in it, with its offset and time. It is
// derived data. A missing entry costs a longer scan; a wrong one is found out,
// since whoever uses an entry checks the batch that it points at.
//
// The file is a header and a table that is addressed directly, so that entries
// can be stored in any order, by several processes, more than once, without a
// lock and without a count:
//
//	 0              64               80               96
//	┌──────────────┬────────────────┬────────────────┬─────┐
//	│ header       │ stretch 0      │ stretch 1      │  …  │   16 bytes each
//	└──────────────┴────────────────┴────────────────┴─────┘
//
// An entry is two words: the batch's append time, and, stored after it, its
// position and relative offset in one word that is zero while there is no entry.
//
// The package imports nothing of ours, and is handed the table as atomic words.
package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// These numbers are part of the format.
const (
	HeaderBytes = 64
	EntryBytes  = 16
	entryWords  = EntryBytes / 8

	magic   = "mlogindx"
	version = 1

	offVersion = 8
	offShift   = 12
	offBase    = 16
	offEpoch   = 24
	offSegment = 32
	offSum     = 56

	minShift   = 12 // a stretch is 4 KiB at least
	maxEntries = 1024

	positionUnit    = 8
	positionBits    = 28
	maxSegmentBytes = positionUnit << positionBits // what an entry can point into
)

// ErrVersion says that an index has a later format.
var ErrVersion = errors.New("format version")

// A Header says which segment, in which life of its file, an index belongs to.
type Header struct {
	Base         int64  // the segment's base offset
	Epoch        uint64 // the segment's epoch
	SegmentBytes int64
}

// Shift returns the binary logarithm of the stretch that one entry covers: the
// smallest power of two, from 4 KiB, for which 1024 entries do.
func Shift(segmentBytes int64) uint {
	return uint(max(minShift, bits.Len64(uint64(segmentBytes-1))-bits.Len(maxEntries-1)))
}

// Entries returns the number of entries in the index of such a segment.
func Entries(segmentBytes int64) int {
	shift := Shift(segmentBytes)
	return int((segmentBytes + 1<<shift - 1) >> shift)
}

// FileBytes returns the size of the index file.
func FileBytes(segmentBytes int64) int64 {
	return HeaderBytes + EntryBytes*int64(Entries(segmentBytes))
}

// Encode returns the header's bytes.
func (h Header) Encode() []byte {
	b := make([]byte, HeaderBytes)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[offVersion:], version)
	binary.LittleEndian.PutUint32(b[offShift:], uint32(Shift(h.SegmentBytes)))
	binary.LittleEndian.PutUint64(b[offBase:], uint64(h.Base))
	binary.LittleEndian.PutUint64(b[offEpoch:], h.Epoch)
	binary.LittleEndian.PutUint64(b[offSegment:], uint64(h.SegmentBytes))
	binary.LittleEndian.PutUint64(b[offSum:], xxhash.Sum64(b[:offSum]))
	return b
}

// Decode reads and checks a header.
func Decode(b []byte) (Header, error) {
	var h Header
	if len(b) < HeaderBytes || string(b[:len(magic)]) != magic {
		return h, errors.New("index: the magic number is missing")
	}
	if v := binary.LittleEndian.Uint32(b[offVersion:]); v != version && !onlyVersionDiffers(b) {
		return h, fmt.Errorf("index: %w: %d, this build knows %d", ErrVersion, v, version)
	}
	if binary.LittleEndian.Uint64(b[offSum:]) != xxhash.Sum64(b[:offSum]) {
		return h, errors.New("index: checksum mismatch")
	}
	h.Base = int64(binary.LittleEndian.Uint64(b[offBase:]))
	h.Epoch = binary.LittleEndian.Uint64(b[offEpoch:])
	h.SegmentBytes = int64(binary.LittleEndian.Uint64(b[offSegment:]))
	if h.Base < 0 || h.SegmentBytes < 1 || h.SegmentBytes > maxSegmentBytes {
		return h, errors.New("index: base offset or segment size out of bounds")
	}
	if uint(binary.LittleEndian.Uint32(b[offShift:])) != Shift(h.SegmentBytes) {
		return h, errors.New("index: unexpected stretch")
	}
	return h, nil
}

// onlyVersionDiffers reports whether a header is of this version, with a version
// number that is damaged.
func onlyVersionDiffers(b []byte) bool {
	fixed := append([]byte(nil), b[:offSum]...)
	binary.LittleEndian.PutUint32(fixed[offVersion:], version)
	return binary.LittleEndian.Uint64(b[offSum:]) == xxhash.Sum64(fixed)
}

// An Entry points at a batch.
type Entry struct {
	Position int64 // of the batch in the segment file
	Count    int64 // records before it in the segment
	Time     int64 // its append time, ns since 1970
}

// A Table is the entries of one index. The methods are safe for concurrent use,
// also by several processes.
type Table struct {
	words []atomic.Uint64
	shift uint
}

// NewTable makes a table of the words that follow an index header. There must be
// Entries(segmentBytes)*2 of them.
func NewTable(words []atomic.Uint64, segmentBytes int64) *Table {
	return &Table{words: words[:entryWords*Entries(segmentBytes)], shift: Shift(segmentBytes)}
}

// NewMemoryTable makes an empty table that no file backs.
func NewMemoryTable(segmentBytes int64) *Table {
	return NewTable(make([]atomic.Uint64, entryWords*Entries(segmentBytes)), segmentBytes)
}

// Stretch returns which entry covers a position. A producer notes a batch only
// when this changes.
func (t *Table) Stretch(position int64) int64 { return position >> t.shift }

// StretchEnd returns the first position behind the stretch that a position is in.
func (t *Table) StretchEnd(position int64) int64 { return (position>>t.shift + 1) << t.shift }

// Note stores an entry for the stretch that e.Position is in, unless there is
// one. Of several that do so at once the first one's is stored: it claims the entry
// by its time. Should it die then, that stretch stays without an entry.
func (t *Table) Note(e Entry) {
	i := int(e.Position>>t.shift) * entryWords
	if i < 0 || i+1 >= len(t.words) || t.words[i+1].Load() != 0 {
		return
	}
	if !t.words[i].CompareAndSwap(0, uint64(e.Time)) {
		return
	}
	t.words[i+1].Store(uint64(e.Count)<<positionBits | uint64(e.Position/positionUnit))
}

// At returns entry i, and false when there is none.
func (t *Table) At(i int) (Entry, bool) {
	word := t.words[entryWords*i+1].Load()
	return Entry{
		Position: int64(word&(1<<positionBits-1)) * positionUnit,
		Count:    int64(word >> positionBits),
		Time:     int64(t.words[entryWords*i].Load()),
	}, word != 0
}

// Len returns the number of entries, present or not.
func (t *Table) Len() int { return len(t.words) / entryWords }

// Last returns the last entry that satisfies before, which must hold for a
// prefix of the entries: it is where a scan for the first batch that does not
// satisfy it may begin. It returns false when there is none.
//
// The table has at most 1024 entries with gaps among them, so a plain walk is
// both simpler and about as fast as a search that would have to get around gaps.
func (t *Table) Last(before func(Entry) bool) (Entry, bool) {
	for i := t.Len() - 1; i >= 0; i-- {
		if e, ok := t.At(i); ok && before(e) {
			return e, true
		}
	}
	return Entry{}, false
}

// AppendTo appends the bytes of all entries, as they stand in a file. A nil table
// has none.
func (t *Table) AppendTo(dst []byte) []byte {
	if t == nil {
		return dst
	}
	for i := range t.words {
		dst = binary.LittleEndian.AppendUint64(dst, t.words[i].Load())
	}
	return dst
}
