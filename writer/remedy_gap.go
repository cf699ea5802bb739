package writer

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/segment"
)

// mostFilled bounds the segments that a gap is filled with. One hostile name of a
// segment can make a gap that no disk has room for.
const mostFilled = 1024

// fillEnd makes the last segment, where nobody can tell how many records were in
// the one that is gone: as many are marked as lost as it can have held, since an
// offset must never be given out twice.
func (m *mender) fillEnd(base int64) error {
	return m.fillGap(base, base+segment.LostRoom(m.w.meta.SegmentBytes)-1)
}

// fillGap makes segments for the offsets from first to last, in which all records
// are marked as lost. If no segment follows, the log goes on in the last of them.
func (m *mender) fillGap(first, last int64) error {
	if room := segment.LostRoom(m.w.meta.SegmentBytes); (last-first)/room >= mostFilled {
		return fmt.Errorf("offsets %d to %d are missing, more than %d segments hold: the segment behind them is hardly of this log; move it away, and repair again",
			first, last, mostFilled)
	}
	if err := m.allowLost(); err != nil {
		return err
	}
	bases, err := m.w.dir.Segments()
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearch(bases, first+1)
	isLast := i == len(bases)
	for {
		room := segment.LostRoom(m.w.meta.SegmentBytes)
		count := min(last-first+1, room)
		more := first+count <= last
		if err := m.lostSegment(first, count, more || !isLast); err != nil {
			return err
		}
		first += count
		if !more {
			return files.SyncDir(string(m.w.dir))
		}
	}
}

// lostSegment makes one of them. It gets its name, which may be a damaged
// segment's, when all is in it: should we die before, that one still tells how
// many records there were.
func (m *mender) lostSegment(base, count int64, sealed bool) error {
	m.w.sweepSpares()
	h, err := m.w.makeSegment(segment.FileHeader{
		LogID: m.w.meta.LogID, Base: base, Epoch: rand.Uint64(), Size: m.w.meta.SegmentBytes, Floor: m.floor(base),
	})
	if err != nil {
		return err
	}
	defer h.release()
	end, err := m.markEnd(h, segment.Cursor{Position: segment.HeaderBytes}, count, h.Floor)
	if err != nil {
		return err
	}
	if sealed {
		h.Seal(end)
	}
	if err := files.SyncData(h.file); err != nil {
		return err
	}
	h.ResetMarks(end)
	return m.w.nameSegment(h)
}
