// Package mutate makes hostile logs of honest ones, for tests. It edits the
// files of a log as arbitrary bytes say and then, if asked to, makes the
// checksums right again, so that what lies behind them is reached.
//
// It is written from docs/format.md and shares no code with the packages that it
// is used against.
package mutate

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

var le = binary.LittleEndian

// Numbers of the format.
const (
	HeaderBytes = 4096 // before a segment's first batch
	BatchBytes  = 32   // header of a batch

	offEpoch  = 40   // of a segment
	offCopy   = 2048 // of a segment's header
	headSize  = 80   // what the copy is of
	offPlaces = 64   // of a group
	placeSize = 24
)

// headers says for each magic number how many bytes of the file's header the
// checksum covers that follows them.
var headers = map[string]int{
	"mlogmeta": 120,
	"mlogretn": 56,
	"mlogsegm": 72,
	"mlogindx": 56,
	"mloggrup": 56,
	"mlogctrl": 64,
}

// Magic returns the first eight bytes of a file.
func Magic(file []byte) string { return string(file[:min(8, len(file))]) }

// MendHeader makes the checksum of a file's header right, whatever its kind, and
// that of a segment's copy of it.
func MendHeader(file []byte) {
	covered, ok := headers[Magic(file)]
	if !ok || len(file) < covered+8 {
		return
	}
	le.PutUint64(file[covered:], xxhash.Sum64(file[:covered]))
	if Magic(file) == "mlogsegm" && len(file) >= offCopy+headSize {
		MendHeader(file[offCopy:][:headSize])
	}
}

// MendPlaces makes the checksums of a group's two places right.
func MendPlaces(group []byte) {
	if Magic(group) != "mloggrup" || len(group) < offPlaces+2*placeSize {
		return
	}
	for i := range 2 {
		place := group[offPlaces+i*placeSize:][:placeSize]
		b := append(append([]byte{}, place[:16]...), group[16:32]...)
		le.PutUint64(place[16:], xxhash.Sum64(b))
	}
}

// MendBatch makes the checksum of the batch at pos right, if its length is one
// that fits, and returns the position of the next one.
func MendBatch(segment []byte, pos int64) (next int64, ok bool) {
	length, ok := lengthAt(segment, pos)
	if !ok {
		return 0, false
	}
	le.PutUint64(segment[pos+24:], batchSum(segment, offEpoch, pos, length))
	return (pos + length + 7) &^ 7, true
}

// MendBatches mends all batches that follow one another from the segment's start
// on, and those at the positions given.
func MendBatches(segment []byte, more []int64) {
	if Magic(segment) != "mlogsegm" {
		return
	}
	for pos, ok := int64(HeaderBytes), true; ok; {
		pos, ok = MendBatch(segment, pos)
	}
	for _, pos := range more {
		MendBatch(segment, pos)
	}
}

// lengthAt returns the length of the batch at pos if it is one that fits.
func lengthAt(segment []byte, pos int64) (int64, bool) {
	if pos < HeaderBytes || pos%8 != 0 || pos+BatchBytes > int64(len(segment)) {
		return 0, false
	}
	length := int64(le.Uint32(segment[pos:]))
	return length, length >= BatchBytes && pos+length <= int64(len(segment))
}

// batchSum returns the checksum of a batch in a segment whose epoch stands at
// offEpoch.
func batchSum(segment []byte, offEpoch int, pos, length int64) uint64 {
	var b [40]byte
	le.PutUint64(b[:], le.Uint64(segment[offEpoch:])+uint64(pos))
	copy(b[8:32], segment[pos:pos+24])
	le.PutUint64(b[32:], xxhash.Sum64(segment[pos+BatchBytes:pos+length]))
	return xxhash.Sum64(b[:])
}

// Enliven makes a control file that was copied name the file that it lies in,
// and its checksum right.
func Enliven(control []byte, dev, ino uint64) {
	if Magic(control) != "mlogctrl" || len(control) < 72 {
		return
	}
	le.PutUint64(control[48:], dev)
	le.PutUint64(control[56:], ino)
	MendHeader(control)
}
