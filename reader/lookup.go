package reader

import (
	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// lookUp returns a cursor to begin a scan at. An index is never believed: the
// batch it points at must verify and be the one it says.
func (s *Source) lookUp(v *view, before func(index.Entry) bool) segment.Cursor {
	start := segment.Cursor{Position: segment.HeaderBytes}
	if e, ok := s.checkedEntry(v, before); ok {
		return segment.Cursor{Position: e.Position, Count: e.Count}
	}
	table := s.rebuildIndex(v)
	if table == nil {
		return start
	}
	if e, ok := table.Last(before); ok {
		return segment.Cursor{Position: e.Position, Count: e.Count}
	}
	return start
}

func indexHeader(v *view) index.Header {
	return index.Header{Base: v.Base, Epoch: v.Epoch, SegmentBytes: v.Size}
}

// checkedEntry looks into the index file. It reports false if there is no usable
// one. An index without any entry that fits points at the segment's start.
func (s *Source) checkedEntry(v *view, before func(index.Entry) bool) (index.Entry, bool) {
	x, err := indexfile.Open(s.dir.Index(v.Base), indexHeader(v), false)
	if err != nil {
		return index.Entry{}, false
	}
	defer x.Close()
	e, ok := x.Last(before)
	if !ok {
		return index.Entry{Position: segment.HeaderBytes}, true
	}
	var f segment.Frame
	if v.Read(e.Position, v.Base+e.Count, &f) != nil || f.Time != e.Time {
		return index.Entry{}, false
	}
	return e, true
}

// rebuildIndex makes the index of a segment anew, in memory, and, if the segment
// is full and we may write there, on disk. It returns nil for a segment that is
// still written to: that one's producers mend its index.
func (s *Source) rebuildIndex(v *view) *index.Table {
	table := index.NewMemoryTable(v.Size)
	scan := v.Scan(segment.Cursor{Position: segment.HeaderBytes}, func(f *segment.Frame) {
		table.Note(index.Entry{Position: f.Position, Count: f.Base - v.Base, Time: f.Time})
	})
	if _, err := files.Lstat(s.dir.Segment(v.Base)); scan.Sealed && err == nil {
		// A reader may lack the permission, and the index is only a help.
		_ = indexfile.Write(s.dir.Index(v.Base), indexHeader(v), table, layout.ModesFor(s.meta.Mode).Data)
	}
	return table
}
