package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/seed27ccf144/mlog/internal/files"
)

// An Origin says what a segment's file was before it became this segment. It tells
// recovery what may stand on disk where nothing of this life has been written yet.
type Origin uint32

const (
	// Made on the spot: zeros.
	Made Origin = iota
	// Prepared: zeros behind a header of no segment, which was on disk before the
	// file got its name.
	Prepared
	// Recycled: a segment that was dropped. Its header is of an earlier life, and so
	// is what stands behind the end of the batches.
	Recycled
)

func (o Origin) String() string {
	switch o {
	case Made:
		return "made on the spot"
	case Prepared:
		return "prepared"
	case Recycled:
		return "recycled"
	}
	return fmt.Sprintf("unknown (%d)", uint32(o))
}

// Prepare writes the header of no segment to f, a file of zero bytes, which the
// caller then syncs. Where a power loss leaves this header under a segment's name,
// it proves that the segment was never synced, which zeros alone would not.
func Prepare(f *os.File, logID [16]byte, size int64) error {
	h := FileHeader{LogID: logID, Size: size, Origin: Prepared}
	if err := files.WriteAt(f, h.page(), 0); err != nil {
		return fmt.Errorf("write the header of a file made ready: %w", err)
	}
	return nil
}

// OriginOf says what a file is that is about to become a segment.
func OriginOf(f *os.File) (Origin, error) {
	var head [endOfFixed]byte
	if _, err := files.ReadAt(f, head[:], 0); err != nil {
		return Made, fmt.Errorf("read the header of a file made ready: %w", err)
	}
	switch h, err := decodeFixed(head[:]); {
	case allZero(head[:]):
		return Made, nil
	case err == nil && h.Origin == Prepared && h.Epoch == 0:
		return Prepared, nil
	}
	return Recycled, nil
}

// A Proof says whether a file that cannot be mapped as the segment of its name is
// what a power loss may leave of one that was never synced.
type Proof int

const (
	// NoProof: it is not. What it is, is damage.
	NoProof Proof = iota
	// Zeros: neither its header nor, perhaps, all of its length reached the disk. So
	// it may have been; but a stranger may have wiped it as well.
	Zeros
	// Earlier: it holds the header that it had before it became this segment. A sync
	// would have replaced it.
	Earlier
)

// NeverSynced looks at a file that cannot be mapped as the segment with this base
// offset of the log. The header and its copy stand in two sectors, and each may be
// of another life. The error is one of the system.
func NeverSynced(f *os.File, logID [16]byte, base int64) (Proof, error) {
	head := make([]byte, HeaderBytes)
	n, err := files.ReadAt(f, head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return NoProof, err
	}
	head = head[:n]
	if allZero(head) {
		return Zeros, nil
	}
	if isOfEarlierLife(head, logID, base) {
		return Earlier, nil
	}
	h, err := DecodeHeader(head)
	if err != nil {
		return NoProof, nil
	}
	fi, err := f.Stat()
	if err != nil {
		return NoProof, err
	}
	if fi.Size() < h.Size && !hasMark(head) {
		return Zeros, nil
	}
	return NoProof, nil
}

// isOfEarlierLife reports whether header and copy are both of segments before the
// one with this base offset, or one of them is and the other is all zero. The log
// only goes on, so a file is never recycled to a lower offset.
func isOfEarlierLife(head []byte, logID [16]byte, base int64) bool {
	found := false
	for _, at := range []int{0, offCopy} {
		if len(head) < at+endOfFixed {
			continue
		}
		fixed := head[at : at+endOfFixed]
		if allZero(fixed) {
			continue
		}
		h, err := decodeFixed(fixed)
		if err != nil || h.LogID != logID || h.Base >= base {
			return false
		}
		found = true
	}
	return found
}

// hasMark reports whether a header says that batches of its segment have been on
// disk.
func hasMark(head []byte) bool {
	return len(head) >= offDurable+8 && UnpackCursor(binary.LittleEndian.Uint64(head[offDurable:])).Count > 0
}

// TornUntil returns the position behind the last byte, at or behind the end of the
// batches c, that is known to have been written in this life of the file, or
// c.Position. The caller knows that from the position written on there are zeros
// only; that is s.Size if he knows nothing.
//
// In a file that held zeros that is whatever is not zero. In a recycled one it is
// what the headers of batches lead to: one of this life begins with an offset that
// is not below the end, one of an earlier life does. A part of a batch without
// the first half of its header cannot be told from bytes of an earlier life: whoever
// cuts the batches off at c zeroes all that follows, known or not.
func (s *Segment) TornUntil(c Cursor, written int64) int64 {
	if s.Origin != Recycled {
		return s.LastNonZero(c.Position, written)
	}
	until, want := c.Position, s.Base+c.Count
	for pos := c.Position; pos <= min(s.Size-FrameBytes, written); pos += frameAlign {
		length := int64(s.word32(pos).Load())
		base := int64(s.word64(pos + 8).Load())
		if length < FrameBytes || length > s.Size-pos || base < want || base-want > pos-c.Position {
			continue
		}
		until = max(until, pos+aligned(length))
	}
	return min(until, s.Size)
}
