package main

import (
	"errors"
	"fmt"

	"github.com/seed27ccf144/mlog/index"
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/indexfile"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// segment prints a segment's header and its batches. The shared lock keeps
// producers from recycling the file meanwhile.
func (d *dumper) segment(path string) error {
	f, err := filelock.OpenShared(path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	d.section(path, fmt.Sprintf("segment, %d bytes", fi.Size()))
	s, err := segment.Map(f, false)
	if err != nil {
		return err
	}
	defer s.Close()
	return fault.Run(func() error {
		d.segmentHeader(s)
		d.batches(s)
		return nil
	})
}

func (d *dumper) segmentHeader(s *segment.Segment) {
	if segment.IsHeaderWhole(s.Bytes()[:segment.HeaderBytes]) {
		d.field("checksum", "ok")
	} else {
		d.bad++
		d.field("checksum", "bad of the header or of its copy; this is the other one")
	}
	d.ofLog(s.LogID)
	d.field("base offset", "%d", s.Base)
	d.field("epoch", "%016x", s.Epoch)
	d.field("earliest time", "%s", timestamp(s.Floor))
	d.field("origin", "%s", s.Origin)
	d.field("tail", "%s", cursor(s, s.Tail()))
	d.field("durable", "%s", cursor(s, s.Durable()))
	successor := "none known to be on disk"
	if base := s.Successor(); base != 0 {
		successor = layout.SegmentName(base)
	}
	d.field("successor", "%s", successor)
	d.field("newest time", "%s", timestamp(s.LastTime()))
}

func cursor(s *segment.Segment, c segment.Cursor) string {
	return fmt.Sprintf("position %d, offset %d", c.Position, s.Base+c.Count)
}

// batches walks over the frames as a reader does. Behind damage it looks for
// the next one that verifies, and goes on there.
func (d *dumper) batches(s *segment.Segment) {
	fmt.Fprintf(d.w, "  %10s %9s %5s %7s %10s  %-30s %s\n", "position", "length", "attrs", "count", "offset", "time", "checksum")
	var f segment.Frame
	budget := s.ResyncBudget()
	for pos, want := int64(segment.HeaderBytes), s.Base; ; pos, want = f.Next(), f.End() {
		err := s.Read(pos, want, &f)
		if errors.Is(err, segment.ErrNoFrame) {
			fmt.Fprintf(d.w, "  %10d %s\n", pos, "zero: the batches end here")
			break
		}
		if err != nil {
			d.bad++
			fmt.Fprintf(d.w, "  %10d %s\n", pos, oneLine(err.Error()))
			if !s.Resync(pos, want, &f, &budget) {
				fmt.Fprintf(d.w, "  %10s no batch that verifies behind it\n", "")
				break
			}
			fmt.Fprintf(d.w, "  %10s offsets %d to %d are missing, %d bytes\n", "", want, f.Base-1, f.Position-pos)
		}
		d.frame(&f)
		if f.IsEnd() || d.stopped() != nil {
			break
		}
	}
}

func (d *dumper) frame(f *segment.Frame) {
	what := ""
	if f.IsEnd() {
		what = fmt.Sprintf("  end marker: go on in %s", layout.SegmentName(f.Base))
	}
	if f.IsLost() {
		what = fmt.Sprintf("  %d records lost to damage", f.Count)
	}
	fmt.Fprintf(d.w, "  %10d %9d  0x%02x %7d %10d  %-30s ok %016x%s\n",
		f.Position, f.Length, f.Attributes(), f.Count, f.Base, timestamp(f.Time), f.Checksum, what)
	if d.records && !f.IsEnd() && !f.IsLost() {
		d.recordsOf(f)
	}
}

// shownBytes is how much of a key or value is shown.
const shownBytes = 32

func (d *dumper) recordsOf(f *segment.Frame) {
	var records segment.Records
	records.Reset(f)
	var r segment.Record
	for records.Left() > 0 {
		if err := records.Next(&r); err != nil {
			fmt.Fprintf(d.w, "  %10s %v\n", "", err)
			return
		}
		key := "none"
		if r.Key != nil {
			key = excerpt(r.Key)
		}
		fmt.Fprintf(d.w, "  %10s offset %d, key %s, value %s, %d headers\n", "", r.Offset, key, excerpt(r.Value), len(r.Headers))
	}
}

func excerpt(b []byte) string {
	if len(b) <= shownBytes {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%q and %d bytes", b[:shownBytes], len(b)-shownBytes)
}

// index prints the entries that are there, and what of a stretch of the segment
// each of them says.
func (d *dumper) index(path string) error {
	head, err := readHead(path, index.HeaderBytes)
	if err != nil {
		return err
	}
	d.section(path, "index")
	h, err := index.Decode(head)
	if err != nil && errors.Is(err, index.ErrVersion) {
		return fmt.Errorf("%w%w", err, silent{layout.ErrIncompatible})
	}
	if err != nil {
		return err
	}
	file, err := indexfile.Open(path, h, false)
	if err != nil {
		return err
	}
	defer file.Close()
	return fault.Run(func() error {
		d.field("checksum", "ok")
		d.field("base offset", "%d", h.Base)
		d.field("epoch", "%016x", h.Epoch)
		d.field("segment bytes", "%d", h.SegmentBytes)
		d.field("stretch", "%d bytes, %d entries", 1<<index.Shift(h.SegmentBytes), file.Len())
		fmt.Fprintf(d.w, "  %7s %10s %10s  %s\n", "entry", "position", "offset", "time")
		for i := range file.Len() {
			if e, ok := file.At(i); ok {
				fmt.Fprintf(d.w, "  %7d %10d %10d  %s\n", i, e.Position, h.Base+e.Count, timestamp(e.Time))
			}
		}
		return nil
	})
}
