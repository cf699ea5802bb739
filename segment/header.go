package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// These numbers are part of the format.
const (
	HeaderBytes = 4096    // before the first batch: a page, so that no batch shares one with it
	MinBytes    = 1 << 16 // of a segment file
	MaxBytes    = 1 << 30
	Version     = 1
)

const magic = "mlogsegm"

// Positions in the header. The first 80 bytes are written once, before the file
// gets its name, and are covered by a checksum. The words after them change
// while the segment is in use; each lies in a cache line that fits who writes it.
const (
	offVersion = 8
	offHeader  = 12
	offLogID   = 16
	offBase    = 32
	offEpoch   = 40
	offSize    = 48
	offFloor   = 56
	offOrigin  = 64
	offSum     = 72
	endOfFixed = 80

	offTail      = 128 // Cursor, packed: where the next batch goes
	offLast      = 136 // append time of the newest batch, ns
	offDurable   = 256 // Cursor, packed: all before it is on disk
	offSuccessor = 264 // base offset of the next segment once its name is on disk, else 0

	// offCopy is where the fixed part stands a second time, in a sector of its own:
	// it holds the epoch, without which no batch of the segment can be verified.
	offCopy = 2048
)

// A FileHeader is the part of a segment's header that never changes.
type FileHeader struct {
	LogID  [16]byte
	Base   int64  // offset of the first record
	Epoch  uint64 // random; salts every checksum in this life of the file
	Size   int64  // bytes of the file
	Floor  int64  // no record here has an append time before this, ns since 1970
	Origin Origin
}

// MaxFrame returns the length of the longest batch that a segment of this size
// can hold.
func MaxFrame(segmentBytes int64) int64 {
	return segmentBytes - HeaderBytes - EndMarkerBytes
}

// CheckSize says whether a segment may have this size.
func CheckSize(size int64) error {
	if size < MinBytes || size > MaxBytes || size%4096 != 0 {
		return fmt.Errorf("segment size of %d bytes: must be a multiple of 4096 between %d (64KiB) and %d (1GiB)",
			size, MinBytes, MaxBytes)
	}
	return nil
}

// A HeaderError says that a file is not a usable segment.
type HeaderError struct {
	Reason  string
	Version bool // it is one, of a later format
}

func (e *HeaderError) Error() string { return "segment header: " + e.Reason }

func (h *FileHeader) encode(dst []byte) {
	clear(dst[:endOfFixed])
	copy(dst, magic)
	binary.LittleEndian.PutUint32(dst[offVersion:], Version)
	binary.LittleEndian.PutUint32(dst[offHeader:], HeaderBytes)
	copy(dst[offLogID:], h.LogID[:])
	binary.LittleEndian.PutUint64(dst[offBase:], uint64(h.Base))
	binary.LittleEndian.PutUint64(dst[offEpoch:], h.Epoch)
	binary.LittleEndian.PutUint64(dst[offSize:], uint64(h.Size))
	binary.LittleEndian.PutUint64(dst[offFloor:], uint64(h.Floor))
	binary.LittleEndian.PutUint32(dst[offOrigin:], uint32(h.Origin))
	binary.LittleEndian.PutUint64(dst[offSum:], xxhash.Sum64(dst[:offSum]))
}

// page returns the header of a new segment.
func (h *FileHeader) page() []byte {
	b := make([]byte, HeaderBytes)
	h.encode(b)
	h.encode(b[offCopy:])
	start := Cursor{Position: HeaderBytes}.Pack()
	binary.LittleEndian.PutUint64(b[offTail:], start)
	binary.LittleEndian.PutUint64(b[offDurable:], start)
	binary.LittleEndian.PutUint64(b[offLast:], uint64(h.Floor))
	return b
}

// DecodeHeader reads and checks the fixed part of a segment's header, given the
// first HeaderBytes of the file. If the header is damaged it returns the copy;
// IsHeaderWhole tells which it was.
func DecodeHeader(src []byte) (FileHeader, error) {
	h, err := decodeFixed(src)
	if err == nil || len(src) < offCopy+endOfFixed {
		return h, err
	}
	if c, cerr := decodeFixed(src[offCopy:]); cerr == nil {
		return c, nil
	}
	return h, err
}

// DecodeHeaderOf is DecodeHeader for a segment whose base offset is known from its
// name: a valid header of another segment, in a sector that came to stand here,
// does not hide the copy.
func DecodeHeaderOf(src []byte, base int64) (FileHeader, error) {
	h, err := DecodeHeader(src)
	if err == nil && h.Base != base && len(src) >= offCopy+endOfFixed {
		if c, cerr := decodeFixed(src[offCopy:]); cerr == nil && c.Base == base {
			return c, nil
		}
	}
	return h, err
}

// isElsewhere reports whether what stands at the head of a segment is so far from
// its header that the whole sector must be bad, and not some bytes of it.
func (h *FileHeader) isElsewhere(src []byte) bool {
	const some = 8
	var fixed [endOfFixed]byte
	h.encode(fixed[:])
	differ := 0
	for i, b := range fixed {
		if src[i] != b {
			differ++
		}
	}
	return differ > some
}

// HasHeaderCopy reports whether there is a copy of the header, right or wrong.
func HasHeaderCopy(src []byte) bool { return !allZero(src[offCopy : offCopy+endOfFixed]) }

// unused are the bytes of a header that mean nothing in this version.
var unused = [][2]int{{endOfFixed, offTail}, {offLast + 8, offDurable}, {offSuccessor + 8, offCopy}, {offCopy + endOfFixed, HeaderBytes}}

// IsUnusedZero reports whether the bytes of the header that are not used are zero,
// as they were written.
func IsUnusedZero(src []byte) bool {
	for _, u := range unused {
		if !allZero(src[u[0]:u[1]]) {
			return false
		}
	}
	return true
}

// IsHeaderWhole reports whether the header is as it was written, and the copy, if
// there is one, too. Segments of logs without the feature have none.
func IsHeaderWhole(src []byte) bool {
	h, err := decodeFixed(src)
	if err != nil || len(src) < offCopy+endOfFixed {
		return false
	}
	c, err := decodeFixed(src[offCopy:])
	return err == nil && c == h || allZero(src[offCopy:offCopy+endOfFixed])
}

func decodeFixed(src []byte) (FileHeader, error) {
	var h FileHeader
	bad := func(reason string) (FileHeader, error) { return h, &HeaderError{Reason: reason} }
	if len(src) < endOfFixed {
		return bad("too short")
	}
	if string(src[:len(magic)]) != magic {
		return bad("no segment: the magic number is missing")
	}
	if v := binary.LittleEndian.Uint32(src[offVersion:]); v != Version {
		if onlyVersionDiffers(src) {
			return bad("the version number is damaged")
		}
		return h, &HeaderError{Version: true, Reason: fmt.Sprintf("format version %d, this build knows %d", v, Version)}
	}
	if binary.LittleEndian.Uint64(src[offSum:]) != xxhash.Sum64(src[:offSum]) {
		return bad("checksum mismatch")
	}
	if n := binary.LittleEndian.Uint32(src[offHeader:]); n != HeaderBytes {
		return bad(fmt.Sprintf("header of %d bytes where %d are expected", n, HeaderBytes))
	}
	copy(h.LogID[:], src[offLogID:])
	h.Base = int64(binary.LittleEndian.Uint64(src[offBase:]))
	h.Epoch = binary.LittleEndian.Uint64(src[offEpoch:])
	h.Size = int64(binary.LittleEndian.Uint64(src[offSize:]))
	h.Floor = int64(binary.LittleEndian.Uint64(src[offFloor:]))
	h.Origin = Origin(binary.LittleEndian.Uint32(src[offOrigin:]))
	if h.Base < 0 || h.Base > maxOffset {
		return bad("base offset out of bounds")
	}
	if err := CheckSize(h.Size); err != nil {
		return bad(err.Error())
	}
	return h, nil
}

// onlyVersionDiffers reports whether a header of an unknown version has the checksum
// of one of this version: then it is one whose version number is damaged.
func onlyVersionDiffers(src []byte) bool {
	var fixed [offSum]byte
	copy(fixed[:], src)
	binary.LittleEndian.PutUint32(fixed[offVersion:], Version)
	return binary.LittleEndian.Uint64(src[offSum:]) == xxhash.Sum64(fixed[:])
}

// A Cursor is a place between two batches of one segment.
type Cursor struct {
	Position int64 // in the file
	Count    int64 // records before it in this segment
}

// cursorPositionBits hold a position in units of 8 bytes; the rest of the word
// holds the count. Both change in one store.
const cursorPositionBits = 28

// Pack puts a cursor into one word.
func (c Cursor) Pack() uint64 {
	return uint64(c.Count)<<cursorPositionBits | uint64(c.Position)/frameAlign
}

// UnpackCursor is the inverse of Pack. Its result is no more trustworthy than
// the word.
func UnpackCursor(word uint64) Cursor {
	return Cursor{
		Position: int64(word&(1<<cursorPositionBits-1)) * frameAlign,
		Count:    int64(word >> cursorPositionBits),
	}
}
