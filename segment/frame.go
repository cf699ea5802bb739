package segment

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/mapping"
)

// These numbers are part of the format.
const (
	FrameBytes     = 32         // header of a batch
	CommitBytes    = 4          // the commit word, with which the header begins
	frameAlign     = 8          // every batch begins at a multiple of this
	EndMarkerBytes = FrameBytes // always kept free at the end of a segment
	MaxRecords     = 1<<24 - 1  // records of one batch
	MaxHeaders     = 1<<16 - 1  // headers of one record
)

// Attributes of a batch. A bit that is not listed here must be zero.
const (
	attrKeys    = 1 << 0 // each record of the body has a key field
	attrHeaders = 1 << 1 // each record of the body has a header list
	attrLost    = 1 << 6 // no batch but the place of some that were lost to damage
	attrEnd     = 1 << 7 // no batch but the end marker of a full segment
	attrKnown   = attrKeys | attrHeaders | attrLost | attrEnd
)

// ErrNoFrame says that nothing is committed at a position yet.
var ErrNoFrame = errors.New("no batch here yet")

// A BadFrameError says that the bytes at a position are not the batch that
// belongs there.
type BadFrameError struct {
	Position int64
	Reason   string
	Later    bool // they are a batch, of a later version of the format
}

func (e *BadFrameError) Error() string {
	return fmt.Sprintf("bad batch at position %d: %s", e.Position, e.Reason)
}

// A Frame is the decoded header of a batch and its body. The body is a view
// into the mapping.
type Frame struct {
	Position int64  // in the segment file
	Length   int64  // header and body, without padding
	Count    int    // records
	Base     int64  // offset of the first record; in an end marker: of the next segment
	Time     int64  // append time of all records, in ns since 1970
	Checksum uint64 // as stored
	Body     []byte
	attrs    uint32
}

// End returns the offset after the frame's last record.
func (f *Frame) End() int64 { return f.Base + int64(f.Count) }

// Next returns the position after the frame.
func (f *Frame) Next() int64 { return f.Position + aligned(f.Length) }

// IsEnd reports whether the frame is the end marker of its segment.
func (f *Frame) IsEnd() bool { return f.attrs&attrEnd != 0 }

// IsLost reports whether the frame stands for records that were lost to damage:
// Count of them, from Base on. Its body means nothing.
func (f *Frame) IsLost() bool { return f.attrs&attrLost != 0 }

// Attributes returns the attribute bits, for display.
func (f *Frame) Attributes() uint32 { return f.attrs }

func aligned(n int64) int64 { return (n + frameAlign - 1) &^ (frameAlign - 1) }

// putFrame writes a frame's header, except the commit word, and its body at
// position pos of data. The caller has made sure that it fits.
func putFrame(data []byte, pos int64, epoch uint64, f *Frame, bodySum uint64) {
	var h [FrameBytes]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(f.Length))
	binary.LittleEndian.PutUint32(h[4:], f.attrs|uint32(f.Count)<<8)
	binary.LittleEndian.PutUint64(h[8:], uint64(f.Base))
	binary.LittleEndian.PutUint64(h[16:], uint64(f.Time))
	binary.LittleEndian.PutUint64(h[24:], checksum(epoch+uint64(pos), h[:], bodySum))
	copy(data[pos+4:pos+FrameBytes], h[4:])
	copy(data[pos+FrameBytes:pos+f.Length], f.Body)
}

// readFrame decodes and verifies the frame at pos. The commit word is read
// once: a hostile writer may change it under our eyes.
func readFrame(data []byte, pos int64, epoch uint64, f *Frame) error {
	if pos&(frameAlign-1) != 0 || pos < HeaderBytes || pos+FrameBytes > int64(len(data)) {
		return &BadFrameError{Position: pos, Reason: "position outside the segment"}
	}
	length := int64(mapping.Uint32(data, int(pos)).Load())
	if length == 0 {
		return ErrNoFrame
	}
	if length < FrameBytes || length > int64(len(data))-pos {
		return &BadFrameError{Position: pos, Reason: fmt.Sprintf("length %d does not fit", length)}
	}
	h := data[pos : pos+length : pos+length]
	attrs := binary.LittleEndian.Uint32(h[4:])
	base, time := binary.LittleEndian.Uint64(h[8:]), binary.LittleEndian.Uint64(h[16:])
	f.Position = pos
	f.Length = length
	f.attrs = attrs & 0xff
	f.Count = int(attrs >> 8)
	f.Base = int64(base)
	f.Time = int64(time)
	f.Checksum = binary.LittleEndian.Uint64(h[24:])
	f.Body = h[FrameBytes:]
	if f.Checksum != sumWords(epoch+uint64(pos), uint64(length)|uint64(attrs)<<32, base, time, bodySum(f.Body)) {
		return &BadFrameError{Position: pos, Reason: "checksum mismatch"}
	}
	return f.plausible(int64(len(data)))
}

// plausible checks what a right checksum does not prove when the producer is
// hostile or of a later version. What it lets pass may be walked over without
// further checks: a commit word follows within the segment of this size, and
// the counts of a segment's batches add up to less than its bytes.
func (f *Frame) plausible(size int64) error {
	bad := func(reason string) error { return &BadFrameError{Position: f.Position, Reason: reason} }
	switch {
	case f.attrs&^attrKnown != 0:
		return &BadFrameError{Position: f.Position, Later: true,
			Reason: fmt.Sprintf("attributes %#x of a later version; use a newer mlog", f.attrs&^attrKnown)}
	case f.Base < 0 || f.Base > maxOffset:
		return bad("base offset out of bounds")
	case f.IsEnd() && (f.Count != 0 || len(f.Body) != 0 || f.attrs != attrEnd):
		return bad("malformed end marker")
	case f.IsEnd():
		return nil
	case f.IsLost() && (f.attrs != attrLost || int64(f.Count) > f.Length):
		return bad("malformed mark of lost records")
	case f.Count == 0 && !f.IsLost():
		return bad("no records")
	case f.Count > 1 && f.Count > len(f.Body) && !f.IsLost():
		return bad("more records than bytes")
	case f.Next()+EndMarkerBytes > size:
		return bad("batch leaves no room for the end marker")
	}
	return nil
}

func bodySum(body []byte) uint64 { return xxhash.Sum64(body) }

// emptySum is the hash of an empty body.
var emptySum = xxhash.Sum64(nil)

// maxOffset keeps every sum of an offset and a count far from overflow.
const maxOffset = 1 << 62
