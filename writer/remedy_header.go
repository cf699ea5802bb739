package writer

import (
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
)

func (m *mender) rewriteHeader(base int64) error {
	h, err := m.w.openHandle(base)
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
	if !m.w.meta.HasUnknownCompat() { // else a later version may use them
		h.ClearUnused()
	}
	return files.SyncData(h.file)
}

// rewriteMarks sets the marks to the end of a segment's batches.
func (m *mender) rewriteMarks(base int64) error {
	h, err := m.w.openHandle(base)
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
// knows the epoch. Else nobody can verify its batches, and it is replaced. It says
// what it did.
func (m *mender) restoreHeader(d survey.Damage) (outcome string, err error) {
	path := m.w.dir.Segment(d.Base)
	if regrown, err := m.regrow(d.Base); regrown || err != nil {
		return "kept a copy in cut/ and gave the file its length back", err
	}
	err = m.headerFromIndex(d.Base)
	if err == nil {
		return "restored the header from the index", nil
	}
	if !errors.Is(err, errNoEpoch) {
		return "", err // of the system, and so no reason to give the segment up
	}
	lost, known := int64(0), false
	if data, err := readUpTo(path, m.w.meta.SegmentBytes); err == nil {
		lost, known = segment.Guess(data, d.Base)
	}
	if err := m.cut.link(path, layout.SegmentName(d.Base)); err != nil {
		return "", err
	}
	if err := files.Remove(m.w.dir.Index(d.Base)); err != nil && !missing(err) {
		return "", err
	}
	const replaced = "moved the segment to cut/ and marked its records as lost"
	isLast, err := m.isLast(d.Base)
	switch {
	case err != nil:
		return "", err
	case !isLast:
		return replaced, m.fillGap(d.Base, d.What.Last) // in the place of the damaged file
	case known:
		return replaced, m.fillGap(d.Base, d.Base+lost-1)
	}
	return replaced, m.fillEnd(d.Base)
}

// regrow gives a segment that was cut, or has grown, its length back, and reports
// whether it was that. What is missing then is zeros, and the next look at the log
// finds which batches that hit.
func (m *mender) regrow(base int64) (bool, error) {
	f, err := files.Open(m.w.dir.Segment(base), true)
	if err != nil {
		if ofSystem(err) && !errors.Is(err, fs.ErrInvalid) {
			return false, nil // no regular file: there is nothing to regrow
		}
		return false, nil
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || fi.Size() == m.w.meta.SegmentBytes {
		return false, err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, m.w.meta.SegmentBytes))
	if err != nil {
		return false, err
	}
	h, err := segment.DecodeHeader(data)
	if err != nil || h.LogID != m.w.meta.LogID || h.Base != base || h.Size != m.w.meta.SegmentBytes {
		return false, nil // its length is not all that is wrong
	}
	if err := m.cut.keep(layout.SegmentName(base)+"."+m.cut.stamp, data); err != nil {
		return false, err
	}
	return true, files.Regrow(f, m.w.meta.SegmentBytes)
}

// errNoEpoch says that the index does not help. An error of the system says
// nothing of the kind.
var errNoEpoch = errors.New("no index tells the segment's epoch")

func (m *mender) headerFromIndex(base int64) error {
	known, err := m.indexHeader(base)
	if err != nil {
		return err
	}
	f, err := files.Open(m.w.dir.Segment(base), true)
	if err != nil {
		return orNoEpoch(err)
	}
	defer f.Close()
	head := make([]byte, segment.HeaderBytes)
	if _, err := files.ReadAt(f, head, 0); err != nil {
		return orNoEpoch(err)
	}
	if _, err := segment.DecodeHeader(head); err == nil {
		return errNoEpoch // it is not damaged, but another log's, or another segment's
	}
	s, err := segment.MapAs(f, segment.FileHeader{
		LogID: m.w.meta.LogID, Base: base, Epoch: known.Epoch, Size: m.w.meta.SegmentBytes, Floor: m.floor(base),
	})
	if err != nil {
		return orNoEpoch(err)
	}
	defer s.Close()
	scan := s.Scan(segment.Cursor{Position: segment.HeaderBytes}, nil)
	if scan.End.Count == 0 && !scan.Sealed {
		return errNoEpoch // nothing verifies by it
	}
	s.RestoreHeader()
	return files.SyncData(f)
}

// indexHeader reads the header of a segment's index.
func (m *mender) indexHeader(base int64) (index.Header, error) {
	x, err := files.Open(m.w.dir.Index(base), false)
	if err != nil {
		return index.Header{}, orNoEpoch(err)
	}
	defer x.Close()
	head := make([]byte, index.HeaderBytes)
	if _, err := files.ReadAt(x, head, 0); err != nil {
		return index.Header{}, orNoEpoch(err)
	}
	h, err := index.Decode(head)
	if err != nil || h.Base != base || h.SegmentBytes != m.w.meta.SegmentBytes {
		return h, errNoEpoch
	}
	return h, nil
}

// orNoEpoch tells an error of the system from one that says what is in a file, or
// that there is none.
func orNoEpoch(err error) error {
	if ofSystem(err) {
		return err
	}
	return errNoEpoch
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
	h, err := m.w.openHandle(bases[i-1])
	if err != nil {
		return 0
	}
	defer h.release()
	return max(h.Floor, h.LastTime())
}
