package check

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// segmentBase returns the base offset that a segment's name says: exactly 20
// digits, below 2^63.
func segmentBase(name, suffix string) (int64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	return base, err == nil
}

// bases lists the segments, in order.
func (c *checker) bases() []int64 {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		c.fail(err)
	}
	var bases []int64
	for _, e := range entries {
		if base, ok := segmentBase(e.Name(), ".seg"); ok {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	return bases
}

// row reads the segments as one log, from the first to the one that nothing
// follows.
func (c *checker) row() {
	bases := c.bases()
	for i := 0; i < len(bases); i++ {
		s, ok := c.load(bases[i])
		if !ok {
			if rest := c.dropped(bases[i]); rest != nil {
				c.restart()
				bases, i = rest, -1
				continue
			}
			c.missing(bases[i])
			continue
		}
		c.errs = append(c.errs, s.errs[:min(len(s.errs), max(0, mostBreaches-len(c.errs)))]...)
		c.add(s)
		if len(s.errs) > 0 {
			continue // where it ends is not known
		}
		if !s.out.Sealed {
			c.unsealed(&s.out, bases[i+1:])
			if c.InUse {
				break
			}
			continue
		}
		// The end marker, and not the listing, says what comes next: the listing
		// may be older.
		if next := s.out.EndAt; i+1 == len(bases) || bases[i+1] != next {
			if i+1 < len(bases) && bases[i+1] < next {
				c.breach(segmentName(bases[i+1]), -1, "is within segment %d, which ends at %d", s.out.Base, next)
			}
			bases = slices.Insert(bases, i+1, next)
		}
	}
	c.summarize()
}

// load reads a segment. While the log is in use a file may be read in a moment
// in which one part of it is of before an append and another of after it; what
// is wrong indeed is wrong again.
func (c *checker) load(base int64) (*segmentFile, bool) {
	const attempts = 5
	for attempt := 1; ; attempt++ {
		data := c.read(segmentName(base))
		if data == nil {
			return nil, false
		}
		var newest int64
		if n := len(c.log.Records); n > 0 {
			newest = c.log.Records[n-1].Time
		}
		s := c.parseSegment(base, data, newest)
		if len(s.errs) == 0 || !c.InUse || attempt == attempts {
			return s, true
		}
	}
}

// dropped returns the row as it is now if retention may have removed the segment
// since it was listed: then all before it are gone too.
func (c *checker) dropped(base int64) []int64 {
	if !c.InUse {
		return nil
	}
	if now := c.bases(); len(now) > 0 && now[0] > base {
		return now
	}
	return nil
}

// missing blames the end marker that names a segment that isn't there.
func (c *checker) missing(base int64) {
	if n := len(c.log.Segments); n > 0 {
		s := &c.log.Segments[n-1]
		c.breach(s.Name(), s.End, "names segment %d, which is missing", base)
	} else {
		c.breach(segmentName(base), -1, "is missing")
	}
}

func (c *checker) restart() {
	c.log.Segments, c.log.Records = nil, nil
}

func (c *checker) add(s *segmentFile) {
	s.out.broken = len(s.errs) > 0
	c.log.Segments = append(c.log.Segments, s.out)
	c.log.Records = append(c.log.Records, s.content...)
}

// unsealed judges a segment without an end marker, which is the one in use:
// behind it there may be one more if the producer that made that died, or is at
// it.
func (c *checker) unsealed(s *Segment, behind []int64) {
	if len(behind) == 0 || c.InUse {
		return
	}
	if c.settled() {
		c.breach(s.Name(), s.End, "no end marker at rest, though segment %d follows", behind[0])
	}
	if behind[0] != s.EndAt || len(behind) > 1 {
		c.breach(segmentName(behind[0]), -1, "does not follow segment %d, which ends at offset %d", s.Base, s.EndAt)
	}
}

// epochs wants another epoch in each segment, since it is what keeps the batches of
// an earlier life of a file, or of another file, from verifying.
func (c *checker) epochs() {
	names := make(map[uint64]string)
	for _, s := range c.log.Segments {
		if s.broken {
			continue
		}
		if other, ok := names[s.Epoch]; ok {
			c.breach(s.Name(), 40, "has the epoch of %s", other)
		}
		names[s.Epoch] = s.Name()
	}
}

// summarize derives the log's bounds from its segments.
func (c *checker) summarize() {
	segments := c.log.Segments
	if len(segments) == 0 {
		return
	}
	first, last := segments[0], segments[len(segments)-1]
	if first.Base == 0 && first.Floor != 0 {
		c.breach(first.Name(), 56, "floor %d in the first segment of a log", first.Floor)
	}
	c.epochs()
	c.log.Start, c.log.End, c.log.Durable = first.Base, last.EndAt, first.Base
	for _, s := range segments {
		if s.Durable.Count > 0 {
			c.log.Durable = s.Base + s.Durable.Count
		}
	}
}
