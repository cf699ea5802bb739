package segment

import (
	"encoding/binary"
	"time"

	"github.com/seed27ccf144/mlog/internal/mapping"
)

// ReadRun reads the batches from pos on, whose first record has the offset want,
// as long as each is there, verifies, and holds one record without key and
// headers: into dst, until that is full or maxBytes were read. It returns how many
// it read, the position behind them, and whether the run ended because nothing is
// there yet. What else ended it Read tells.
//
// It is Read for the commonest log, without anything that such a log does not
// need: what is done here is done for every record.
func (s *Segment) ReadRun(pos, want int64, dst []Record, maxBytes int64) (n int, next int64, dry bool) {
	if pos&(frameAlign-1) != 0 || pos < HeaderBytes || want > maxOffset-int64(len(dst)) {
		return 0, pos, false
	}
	data := s.data
	var header opener
	limit := int64(len(data)) - EndMarkerBytes // batches leave room for the end marker
	var second, secondNs int64                 // of the record before, and its begin
	for enough := pos + maxBytes; n < len(dst) && pos < enough && pos <= limit-FrameBytes; n++ {
		length := int64(mapping.Uint32(data, int(pos)).Load())
		if length < FrameBytes || length > limit-pos {
			dry = length == 0
			break
		}
		h := data[pos : pos+length : pos+length]
		attrs, base := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint64(h[8:])
		ns, sum := binary.LittleEndian.Uint64(h[16:]), binary.LittleEndian.Uint64(h[24:])
		if attrs != loneRecord || base != uint64(want) ||
			sum != closeSum(header.open(s.Epoch+uint64(pos), uint64(length)|loneRecord<<32, base, ns), bodySum(h[FrameBytes:])) {
			break
		}
		if uint64(int64(ns)-secondNs) >= uint64(time.Second) {
			second = int64(ns) / int64(time.Second)
			secondNs = second * int64(time.Second)
		}
		r := &dst[n]
		r.Offset, r.Key, r.Headers = want, nil, nil
		r.Time, r.Value = time.Unix(second, int64(ns)-secondNs), h[FrameBytes:]
		pos += aligned(length)
		want++
	}
	return n, pos, dry
}
