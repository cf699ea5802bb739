package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/seed27ccf144/mlog/internal/mapping"
)

// ErrNoRoom says that records cannot be marked as lost in so few bytes.
var ErrNoRoom = errors.New("more records are lost than the damaged bytes can have held")

// MarkLost writes, from the cursor c up to the position until, that the next
// count records were lost to damage, and returns the cursor behind. Readers then
// get a DamageError for them and go on. Whatever stood there is overwritten. It is
// for repair, when nobody else uses the log.
//
// A lost record took a byte or more, and each batch a header, so the bytes that
// are damaged always suffice for the frames that say so.
func (s *Segment) MarkLost(c Cursor, count, until int64, timeNs int64) (Cursor, error) {
	if until%frameAlign != 0 || until > s.Size-EndMarkerBytes || until < c.Position+FrameBytes || LostBytes(count) > until-c.Position {
		return c, ErrNoRoom // before anything is overwritten
	}
	for {
		n := min(count, MaxRecords)
		end := until
		if count -= n; count > 0 {
			end = c.Position + aligned(max(n, FrameBytes))
		}
		if end > until || count > 0 && until-end < FrameBytes {
			return c, ErrNoRoom
		}
		c = s.markLost(c, n, end, timeNs)
		if c.Position == until {
			return c, nil
		}
	}
}

func (s *Segment) markLost(c Cursor, count, end, timeNs int64) Cursor {
	clear(s.data[c.Position:end])
	f := Frame{
		Length: end - c.Position, Count: int(count), Base: s.Base + c.Count, Time: timeNs,
		Body: s.data[c.Position+FrameBytes : end], attrs: attrLost,
	}
	putFrame(s.data, c.Position, s.Epoch, &f, bodySum(f.Body))
	s.word32(c.Position).Store(uint32(f.Length))
	return Cursor{Position: end, Count: c.Count + count}
}

// ResetMarks makes c the end of the segment's batches, as far as tail and durable
// mark say. Unlike RaiseDurable it may move the mark back: it is for repair, of
// marks that were damaged themselves, and what lies before c must have been
// synced.
func (s *Segment) ResetMarks(c Cursor) {
	s.SetTail(c)
	s.word64(offDurable).Store(c.Pack())
}

// ClearUnused writes zeros to the bytes of the header that are not used.
func (s *Segment) ClearUnused() {
	for _, u := range unused {
		clear(s.data[u[0]:u[1]])
	}
}

// Redirty makes the pages in [from, to) count as changed, so that the next sync
// writes them although an earlier one failed and dropped them as clean.
func (s *Segment) Redirty(from, to int64) {
	const page = 4096
	for pos := from &^ (page - 1); pos < to; pos += page {
		word := s.word64(pos)
		word.Store(word.Load())
	}
}

// MapAs maps a segment file whose header is damaged beyond use, with what is
// known of it from elsewhere.
func MapAs(f *os.File, h FileHeader) (*Segment, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() != h.Size {
		return nil, &HeaderError{Reason: fmt.Sprintf("file has %d bytes where %d are expected", fi.Size(), h.Size)}
	}
	m, err := mapping.File(f, h.Size, true)
	if err != nil {
		return nil, err
	}
	return &Segment{FileHeader: h, data: m.Bytes(), m: m}, nil
}

// Guess counts the records of a segment whose batches cannot be verified, by
// following what their headers say for as long as it fits together. It reports
// whether that led to a place where they can have ended: an end marker, or zeros to
// the end of the segment.
func Guess(data []byte, base int64) (count int64, ended bool) {
	pos := int64(HeaderBytes)
	for pos+FrameBytes <= int64(len(data)) {
		h := data[pos : pos+FrameBytes]
		length := int64(binary.LittleEndian.Uint32(h))
		word := binary.LittleEndian.Uint32(h[4:])
		if word&attrEnd != 0 && length == FrameBytes && int64(binary.LittleEndian.Uint64(h[8:])) == base+count {
			return count, true
		}
		if length < FrameBytes || length > int64(len(data))-pos ||
			int64(binary.LittleEndian.Uint64(h[8:])) != base+count || int64(word>>8) > length { // a record takes a byte
			break
		}
		count += int64(word >> 8)
		pos += aligned(length)
	}
	return count, pos <= int64(len(data)) && allZero(data[pos:])
}

// LostBytes returns how many bytes the marks of count lost records take.
func LostBytes(count int64) int64 {
	full := count / MaxRecords
	rest := count % MaxRecords
	return full*aligned(MaxRecords+FrameBytes) + aligned(rest+FrameBytes)
}

// LostRoom returns how many records can be marked as lost in an empty segment of
// this size.
func LostRoom(segmentBytes int64) int64 {
	room := MaxFrame(segmentBytes)
	return room - (room/MaxRecords+1)*2*FrameBytes
}
