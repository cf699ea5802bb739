package writer

import (
	"errors"
	"path/filepath"
	"slices"

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

// mend does it. Nobody else is using the log, except readers. The outcome says
// what was done, where the remedy leaves that open.
func (m *mender) mend(d survey.Damage) (outcome string, err error) {
	switch d.Kind {
	case survey.Bytes, survey.Content:
		return "", m.markBytes(d)
	case survey.Header:
		return m.restoreHeader(d)
	case survey.Copy:
		return "", m.rewriteHeader(d.Base)
	case survey.Marks:
		return "", m.rewriteMarks(d.Base)
	case survey.Missing:
		if isLast, err := m.isLast(d.Base); isLast || err != nil {
			return "", errors.Join(err, m.fillEnd(d.Base))
		}
		return "", m.fillGap(d.What.First, d.What.Last)
	case survey.Setting:
		return "", m.rewriteSetting(d.What.Segment)
	case survey.Derived:
		return "", m.remake(d)
	case survey.Group:
		return "", m.moveGroup(d.Group)
	}
	return "", nil
}

// remake takes away what the next user of the log makes anew.
func (m *mender) remake(d survey.Damage) error {
	switch d.What.Segment {
	case filepath.Base(m.w.dir.Wake()):
		return m.w.dir.CreateWake(m.w.meta.Mode)
	case filepath.Base(m.w.dir.Control()):
		return nil // mending always does
	}
	return files.Remove(m.w.dir.Index(d.Base))
}

func (m *mender) moveGroup(name string) error {
	lock, err := group.LockIdle(m.w.dir, name, &m.w.meta)
	if err != nil {
		return err // its consumer would go on committing to the file that was moved
	}
	defer lock.Release()
	if err := m.cut.move(m.w.dir.Group(name), "groups~"+name); err != nil {
		return err
	}
	return m.cut.syncMoves(m.w.dir.Groups())
}

// markBytes puts marks of lost records over bytes that cannot be read.
func (m *mender) markBytes(d survey.Damage) error {
	h, err := m.w.openHandle(d.Base)
	if err != nil {
		return err
	}
	defer h.release()
	if err := m.allowLost(); err != nil {
		return err
	}
	if d.Until != 0 {
		return m.markBetween(h, d)
	}
	return m.markRest(h, d)
}

// timeBefore returns the append time of the batch before damage. What was damaged
// before that is mended by now, so the walk comes as far.
func timeBefore(h *handle) int64 {
	return h.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil).Time
}

// markBetween does it where a batch that verifies stands behind the damage.
func (m *mender) markBetween(h *handle, d survey.Damage) error {
	at := segment.Cursor{Position: d.What.Position, Count: d.What.First - h.Base}
	if err := m.cut.copy(h, at.Position, d.Until); err != nil {
		return err
	}
	if _, err := h.MarkLost(at, d.What.Last-d.What.First+1, d.Until, timeBefore(h)); err != nil {
		return err
	}
	// A damaged header may have left the tail at what was damaged here.
	if scan := h.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil); scan.Bad == nil {
		h.SetTail(scan.End)
		h.SetLastTime(max(h.LastTime(), scan.Time))
	}
	return files.SyncData(h.file)
}

// markRest does it where nothing verifies up to the segment's end.
func (m *mender) markRest(h *handle, d survey.Damage) error {
	at := segment.Cursor{Position: d.What.Position, Count: d.What.First - h.Base}
	timeNs := timeBefore(h)
	to := max(h.TornUntil(at, h.Size), h.Tail().Position)
	if to > at.Position {
		if err := m.cut.copy(h, at.Position, to); err != nil {
			return err
		}
	}
	if err := h.zeroFrom(at.Position); err != nil { // for the reasons that cutSegment has
		return err
	}
	isLast, err := m.isLast(h.Base)
	if err != nil {
		return err
	}
	end, err := m.markEnd(h, at, d.What.Last-d.What.First+1, timeNs)
	segmentsToo := errors.Is(err, segment.ErrNoRoom) // more is lost than this one can have held
	if err != nil && !segmentsToo {
		return err
	}
	if segmentsToo || !isLast {
		h.Seal(end)
	}
	if err := files.SyncData(h.file); err != nil {
		return err
	}
	h.ResetMarks(end)
	if segmentsToo {
		return m.fillGap(d.What.First, d.What.Last)
	}
	return nil
}

// isLast reports whether no segment begins behind a base offset.
func (m *mender) isLast(base int64) (bool, error) {
	bases, err := m.w.dir.Segments()
	if err != nil {
		return false, err
	}
	i, _ := slices.BinarySearch(bases, base+1)
	return i == len(bases), nil
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
