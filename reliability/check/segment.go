package check

import (
	"bytes"
	"fmt"
)

// A Segment is one file of the log's row.
type Segment struct {
	Base      int64
	Epoch     uint64
	Size      int64
	Floor     int64
	Tail      Cursor
	LastTime  int64
	Durable   Cursor // the durable mark
	Successor int64
	Recycled  bool // the file was another segment before

	Batches []Batch
	End     int64 // position behind the last batch: of the end marker, if it is sealed
	EndAt   int64 // offset behind the last record
	Sealed  bool  // there is an end marker, which names the segment EndAt

	broken bool // there was a breach, so where it ends is not known
}

// Name returns the file's name.
func (s *Segment) Name() string { return segmentName(s.Base) }

func segmentName(base int64) string { return fmt.Sprintf("%020d.seg", base) }

// What a segment's file was before.
const (
	madeOnTheSpot = iota
	preparedFile
	recycledFile
)

// A segmentFile is a segment that is being parsed.
type segmentFile struct {
	name    string
	data    []byte
	epoch   uint64
	out     Segment
	content []Record
	newest  int64 // time of the newest batch so far
	errs    []error
}

func (s *segmentFile) breach(position int64, format string, args ...any) {
	s.errs = append(s.errs, &Breach{File: s.name, Position: position, Reason: fmt.Sprintf(format, args...)})
}

// parseSegment reads a whole segment from what its file held at a moment. newest
// is the time of the newest record before it.
func (c *checker) parseSegment(base int64, data []byte, newest int64) *segmentFile {
	s := &segmentFile{name: segmentName(base), data: data, newest: newest}
	if s.header(base, c.log.Meta) {
		s.walk(c.log.Meta)
		s.words(c)
	}
	return s
}

// header parses what is written once. Without it nothing behind it can be read.
func (s *segmentFile) header(base int64, meta Meta) bool {
	b := s.data
	if int64(len(b)) != meta.SegmentBytes {
		s.breach(-1, "has %d bytes and not %d", len(b), meta.SegmentBytes)
		return false
	}
	if string(b[:8]) != "mlogsegm" {
		s.breach(0, "wrong magic %q", b[:8])
	}
	if v := u32(b, 8); v != 1 {
		s.breach(8, "version %d", v)
	}
	if n := u32(b, 12); n != headerBytes {
		s.breach(12, "a header of %d bytes", n)
	}
	if [16]byte(b[16:32]) != meta.ID {
		s.breach(16, "the id of another log")
	}
	if n := i64(b, 32); n != base || n > highestOffset {
		s.breach(32, "base offset %d", n)
	}
	if n := i64(b, 48); n != int64(len(b)) {
		s.breach(48, "size %d of a file of %d", n, len(b))
	}
	if xxh64(b[:72]) != u64(b, 72) {
		s.breach(72, "wrong checksum")
	}
	switch origin := u32(b, 64); {
	case origin > recycledFile:
		s.breach(64, "origin %d", origin)
	case origin != madeOnTheSpot && meta.Features[compatible]&origins == 0:
		s.breach(64, "origin %d in a log without origins", origin)
	case origin == recycledFile && base == 0:
		s.breach(64, "the first segment of a log is a recycled file")
	}
	for _, field := range [][2]int{{68, 72}, {80, 128}, {144, 256}, {272, headerCopy}, {headerCopy + copyBytes, headerBytes}} {
		if at := firstNonzero(b, field[0], field[1]); at >= 0 {
			s.breach(at, "an unused byte is not zero")
		}
	}
	copied := b[headerCopy : headerCopy+copyBytes]
	if none := firstNonzero(copied, 0, copyBytes) < 0; none && meta.Features[compatible]&headerCopies != 0 {
		s.breach(headerCopy, "no copy of the header")
	} else if !none && !bytes.Equal(copied, b[:copyBytes]) {
		s.breach(headerCopy, "the copy of the header differs from it")
	}
	s.epoch = u64(b, 40)
	s.out = Segment{
		Base: base, Epoch: s.epoch, Size: int64(len(b)), Floor: i64(b, 56),
		LastTime: i64(b, 136), Successor: i64(b, 264), Recycled: u32(b, 64) == recycledFile,
	}
	if s.out.Floor < s.newest {
		s.breach(56, "floor %d, but an older segment has a record of %d", s.out.Floor, s.newest)
	}
	s.newest = max(s.newest, s.out.Floor)
	return len(s.errs) == 0
}

// walk goes from batch to batch until it finds none.
func (s *segmentFile) walk(meta Meta) {
	s.out.End, s.out.EndAt = headerBytes, s.out.Base
	for {
		what, b, err := s.batchAt(s.out.End, s.out.EndAt)
		switch what {
		case nothing:
			return
		case wrong:
			s.breach(s.out.End, "neither a batch nor zero: %v", err)
			return
		}
		if b.Time < s.newest {
			s.breach(s.out.End+16, "time runs back from %d to %d", s.newest, b.Time)
		}
		s.newest = max(s.newest, b.Time)
		switch what {
		case end:
			s.out.Sealed = true
			return
		case lost:
			b.Lost = true
			s.lost(b, meta)
		case batch:
			records, err := s.records(b)
			if err != nil {
				s.breach(s.out.End+batchHeader, "a body that does not decode: %v", err)
			}
			s.content = append(s.content, records...)
		}
		s.out.Batches = append(s.out.Batches, b)
		s.out.End = s.behind(b)
		s.out.EndAt += int64(b.Count)
	}
}

// lost judges a batch that stands for records that damage took.
func (s *segmentFile) lost(b Batch, meta Meta) {
	if meta.Features[incompatible]&lostBatches == 0 {
		s.breach(b.Position+4, "a batch of lost records, and meta does not say that there may be one")
	}
	if at := firstNonzero(s.data, int(b.Position+batchHeader), int(b.Position+b.Bytes)); at >= 0 {
		s.breach(at, "a batch of lost records has a body that is not zero")
	}
}

// words judges what changes while the segment is in use.
func (s *segmentFile) words(c *checker) {
	if len(s.errs) > 0 {
		return // they would be compared with an end that is none
	}
	var plausible bool
	if s.out.Tail, plausible = cursorOf(u64(s.data, 128), s.out.Size); !plausible {
		s.breach(128, "implausible tail %#x", u64(s.data, 128))
	}
	if s.out.Durable, plausible = cursorOf(u64(s.data, 256), s.out.Size); !plausible {
		s.breach(256, "implausible durable mark %#x", u64(s.data, 256))
	}
	if !s.isBetweenBatches(s.out.Durable) {
		s.breach(256, "durable mark %+v is not between two batches before %d", s.out.Durable, s.out.End)
	}
	hintsMayDiffer := c.PowerLost && s.out.Sealed
	if !hintsMayDiffer {
		s.hints(c.settled())
	}
	if n := s.out.Successor; n != 0 && n != s.out.EndAt {
		s.breach(264, "successor %d, but the segment ends at offset %d", n, s.out.EndAt)
	}
	if s.out.Successor != 0 && !s.out.Sealed && c.settled() {
		s.breach(264, "successor %d of a segment without an end marker", s.out.Successor)
	}
}

func (s *segmentFile) hints(settled bool) {
	if !s.isBetweenBatches(s.out.Tail) {
		s.breach(128, "tail %+v is not between two batches before %d", s.out.Tail, s.out.End)
	}
	if settled && s.out.Tail.Position != s.out.End {
		s.breach(128, "tail %+v at rest, but the segment ends at %d", s.out.Tail, s.out.End)
	}
	if n := len(s.out.Batches); n > 0 && s.out.LastTime < s.out.Batches[n-1].Time {
		s.breach(136, "last time %d, but the newest batch is of %d", s.out.LastTime, s.out.Batches[n-1].Time)
	}
}

// isBetweenBatches reports whether a cursor is at the beginning or the end, or
// between two batches, with the count that belongs there.
func (s *segmentFile) isBetweenBatches(c Cursor) bool {
	if c.Position == s.out.End {
		return c.Count == s.out.EndAt-s.out.Base
	}
	for _, b := range s.out.Batches {
		if b.Position == c.Position {
			return c.Count == b.Offset-s.out.Base
		}
	}
	return c == Cursor{Position: headerBytes}
}
