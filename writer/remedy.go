package writer

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/group"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
)

// remedy says what mending does about a damage, in the present tense, or "".
func remedy(d survey.Damage) string {
	switch d.Kind {
	case survey.Bytes:
		return "keep a copy of the damaged bytes in cut/ and mark the records as lost"
	case survey.Content:
		if d.What.Last < d.What.First {
			return "" // all records can be read, it is only their time that is odd
		}
		return "keep a copy of the batch in cut/ and mark its records as lost"
	case survey.Header:
		return "restore the header from the index, or else move the segment to cut/ and mark its records as lost"
	case survey.Copy:
		return "write header and copy anew"
	case survey.Marks:
		return "write it anew from what the batches say"
	case survey.Missing:
		if d.What.First == 0 && d.What.Last < 0 {
			return "" // nobody knows how many records there were
		}
		return "put a segment in its place that marks the records as lost"
	case survey.Setting:
		if d.What.Segment == filepath.Base(layout.Dir("").Meta()) {
			return "keep a copy in cut/ and write it anew from what the segments say"
		}
		return "keep a copy in cut/ and keep everything from now on; set the retention again"
	case survey.Derived:
		return "make it anew"
	case survey.Group:
		return "move it to cut/; the group begins anew"
	}
	return ""
}

// mend does it. Nobody else is using the log, except readers.
func (m *mender) mend(d survey.Damage) error {
	switch d.Kind {
	case survey.Bytes, survey.Content:
		return m.markBytes(d)
	case survey.Header:
		return m.restoreHeader(d)
	case survey.Copy:
		return m.rewriteHeader(d.Base)
	case survey.Marks:
		return m.rewriteMarks(d.Base)
	case survey.Missing:
		return m.fillGap(d.What.First, d.What.Last)
	case survey.Setting:
		return m.rewriteSetting(d.What.Segment)
	case survey.Derived:
		switch d.What.Segment {
		case filepath.Base(m.w.dir.Wake()):
			return m.w.dir.CreateWake(m.w.meta.Mode)
		case filepath.Base(m.w.dir.Control()):
			return nil // mending always does
		}
		return files.Remove(m.w.dir.Index(d.Base))
	case survey.Group:
		lock, err := group.LockIdle(m.w.dir, d.Group, &m.w.meta)
		if err != nil {
			return err // its consumer would go on committing to the file that was moved
		}
		defer lock.Release()
		if err := m.cut.move(m.w.dir.Group(d.Group), "groups~"+d.Group); err != nil {
			return err
		}
		return m.cut.syncMoves(m.w.dir.Groups())
	}
	return nil
}

// markBytes puts marks of lost records over bytes that cannot be read.
func (m *mender) markBytes(d survey.Damage) error {
	h, err := openHandle(m.w.dir, m.w.meta.LogID, d.Base)
	if err != nil {
		return err
	}
	defer h.release()
	at := segment.Cursor{Position: d.What.Position, Count: d.What.First - h.Base}
	// What was damaged before it is mended by now, so the walk comes as far as here.
	timeNs := h.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil).Time
	lost := d.What.Last - d.What.First + 1
	if err := m.allowLost(); err != nil {
		return err
	}
	if d.Until != 0 {
		if err := m.cut.copy(h, at.Position, d.Until); err != nil {
			return err
		}
		if _, err := h.MarkLost(at, lost, d.Until, timeNs); err != nil {
			return err
		}
		// A damaged header may have left the tail at what was damaged here.
		if scan := h.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil); scan.Bad == nil {
			h.SetTail(scan.End)
			h.SetLastTime(max(h.LastTime(), scan.Time))
		}
		return files.SyncData(h.file)
	}
	if to := h.LastNonZero(at.Position); to > at.Position {
		if err := m.cut.copy(h, at.Position, to); err != nil {
			return err
		}
	}
	h.ZeroFrom(at.Position) // for the reasons that cutSegment has
	bases, err := m.w.dir.Segments()
	if err != nil {
		return err
	}
	next, _ := slices.BinarySearch(bases, h.Base+1)
	end, err := m.markEnd(h, at, lost, timeNs)
	beyond := errors.Is(err, segment.ErrNoRoom) // segments are missing as well
	if err != nil && !beyond {
		return err
	}
	if beyond || next < len(bases) {
		h.Seal(end)
	}
	if err := files.SyncData(h.file); err != nil {
		return err
	}
	h.ResetMarks(end)
	if beyond {
		return m.fillGap(d.What.First, d.What.Last)
	}
	return nil
}

// markEnd marks count records as lost in the zeros that end a segment.
func (m *mender) markEnd(h *handle, at segment.Cursor, count, timeNs int64) (segment.Cursor, error) {
	if count <= 0 {
		return at, nil
	}
	until := min(at.Position+segment.LostBytes(count), h.Size-segment.EndMarkerBytes)
	return h.MarkLost(at, count, until, timeNs)
}

// allowLost sets the feature without which no lost batch may stand in a log.
func (m *mender) allowLost() error {
	if m.w.meta.Incompat&layout.FeatureLostBatches != 0 {
		return nil
	}
	m.w.meta.Incompat |= layout.FeatureLostBatches
	return files.Replace(m.w.dir.Meta(), m.w.meta.Encode(), m.w.modes.Data)
}

func (m *mender) rewriteSetting(name string) error {
	meta := name == filepath.Base(m.w.dir.Meta())
	path := m.w.dir.Retention()
	if meta {
		path = m.w.dir.Meta()
	}
	const most = 1 << 20 // far more than a setting takes
	if damaged, err := readUpTo(path, most); err == nil {
		if err := m.cut.keep(name+"."+m.cut.stamp, damaged); err != nil {
			return err
		}
	}
	if meta {
		return files.Replace(path, m.w.meta.Encode(), m.w.modes.Data)
	}
	return m.w.dir.WriteRetention(&m.w.meta, layout.Retention{})
}

// readUpTo reads the first bytes of a file: how long it is, or that it is a file at
// all, is for whoever damaged it to say.
func readUpTo(path string, most int64) ([]byte, error) {
	f, err := files.Open(path, false)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

func (m *mender) rewriteHeader(base int64) error {
	h, err := openHandle(m.w.dir, m.w.meta.LogID, base)
	if err != nil {
		return err
	}
	defer h.release()
	if h.IsDoubtful() {
		scan := h.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil)
		h.SetTail(scan.End)
		h.SetLastTime(scan.Time)
	}
	h.RestoreHeader()
	if m.w.meta.Compat&^layout.FeatureHeaderCopies == 0 { // else a later version may use them
		h.ClearUnused()
	}
	return files.SyncData(h.file)
}

// rewriteMarks sets the marks to the end of a segment's batches.
func (m *mender) rewriteMarks(base int64) error {
	h, err := openHandle(m.w.dir, m.w.meta.LogID, base)
	if err != nil {
		return err
	}
	defer h.release()
	scan := h.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil)
	if scan.Bad != nil && h.Committed(scan.End.Position) {
		return scan.Bad
	}
	if err := files.SyncData(h.file); err != nil {
		return err
	}
	h.ResetMarks(scan.End)
	h.SetLastTime(scan.Time)
	if successor := h.Successor(); !scan.Sealed || successor != h.end(scan.End) {
		h.SetSuccessor(0) // which says nothing
	}
	return nil
}

// restoreHeader gives a segment without a usable header one again, if the index
// knows the epoch. Else no batch of it can be verified, and it is replaced.
func (m *mender) restoreHeader(d survey.Damage) error {
	if err := m.headerFromIndex(d.Base); err == nil {
		return nil
	}
	guess := int64(0)
	if data, err := readUpTo(m.w.dir.Segment(d.Base), m.w.meta.SegmentBytes); err == nil {
		guess = segment.Guess(data, d.Base)
	}
	if err := m.cut.link(m.w.dir.Segment(d.Base), layout.SegmentName(d.Base)); err != nil {
		return err
	}
	if err := files.Remove(m.w.dir.Index(d.Base)); err != nil && !missing(err) {
		return err
	}
	if d.What.Last < d.What.First { // the last segment: what follows does not tell how many are lost
		d.What.Last = max(d.Base+guess, m.durableOffset()) - 1
	}
	return m.fillGap(d.Base, d.What.Last) // in the place of the damaged file
}

func (m *mender) durableOffset() int64 {
	if m.control == "" {
		return 0
	}
	ctl, err := control.Open(m.control, m.w.meta.LogID, false)
	if err != nil {
		return 0
	}
	defer ctl.Close()
	durable, _ := ctl.DurableOffset()
	return durable
}

var errNoEpoch = errors.New("no index tells the segment's epoch")

func (m *mender) headerFromIndex(base int64) error {
	head := make([]byte, index.HeaderBytes)
	x, err := files.Open(m.w.dir.Index(base), false)
	if err != nil {
		return err
	}
	defer x.Close()
	if _, err := files.ReadAt(x, head, 0); err != nil {
		return err
	}
	known, err := index.Decode(head)
	if err != nil {
		return err
	}
	f, err := files.Open(m.w.dir.Segment(base), true)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := segment.MapAs(f, segment.FileHeader{
		LogID: m.w.meta.LogID, Base: base, Epoch: known.Epoch, Size: m.w.meta.SegmentBytes, Floor: m.floor(base),
	})
	if err != nil {
		return err
	}
	defer s.Close()
	scan := s.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil)
	if known.Base != base || known.SegmentBytes != s.Size || scan.End.Count == 0 && !scan.Sealed {
		return errNoEpoch // nothing verifies by it
	}
	s.RestoreHeader()
	return files.SyncData(f)
}

// floor returns the newest append time before a segment, as far as the one before
// it tells.
func (m *mender) floor(base int64) int64 {
	bases, err := m.w.dir.Segments()
	if err != nil {
		return 0
	}
	i, _ := slices.BinarySearch(bases, base)
	if i == 0 {
		return 0
	}
	h, err := openHandle(m.w.dir, m.w.meta.LogID, bases[i-1])
	if err != nil {
		return 0
	}
	defer h.release()
	return max(h.Floor, h.LastTime())
}

// mostFilled bounds the segments that a gap is filled with. One hostile name of a
// segment can make a gap that no disk has room for.
const mostFilled = 1024

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
