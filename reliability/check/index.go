package check

import (
	"fmt"
	"path/filepath"
)

const (
	indexHeader   = 64
	indexEntry    = 16
	leastShift    = 12
	mostStretches = 1024
)

// indexes judges the index of each segment. There need not be one.
func (c *checker) indexes() {
	for i := range c.log.Segments {
		s := &c.log.Segments[i]
		name := fmt.Sprintf("%020d.idx", s.Base)
		if b := c.read(name); b != nil && !s.broken {
			c.index(name, b, s)
		}
	}
	c.strayIndexes()
}

// strayIndexes notes indexes of segments that are not there, and that retention
// did not drop: whoever makes an index just then may die before removing it.
func (c *checker) strayIndexes() {
	if c.InUse {
		return
	}
	files, err := filepath.Glob(filepath.Join(c.dir, "*.idx"))
	if err != nil {
		c.fail(err)
	}
	for _, file := range files {
		base, ok := segmentBase(filepath.Base(file), ".idx")
		if !ok || base >= c.log.Start && !c.hasSegment(base) {
			c.note("%s: an index of no segment", filepath.Base(file))
		}
	}
}

func (c *checker) hasSegment(base int64) bool {
	for i := range c.log.Segments {
		if c.log.Segments[i].Base == base {
			return true
		}
	}
	return false
}

func (c *checker) index(name string, b []byte, s *Segment) {
	shift := uint32(leastShift)
	for mostStretches<<shift < s.Size {
		shift++
	}
	entries := (s.Size + 1<<shift - 1) >> shift
	if want := indexHeader + indexEntry*entries; int64(len(b)) != want {
		c.breach(name, -1, "has %d bytes and not %d", len(b), want)
		return
	}
	if string(b[:8]) != "mlogindx" {
		c.breach(name, 0, "wrong magic %q", b[:8])
	}
	if v := u32(b, 8); v != 1 {
		c.breach(name, 8, "version %d", v)
	}
	if n := u32(b, 12); n != shift {
		c.breach(name, 12, "shift %d, want %d", n, shift)
	}
	if i64(b, 16) != s.Base || u64(b, 24) != s.Epoch || i64(b, 32) != s.Size {
		c.breach(name, 16, "is of base offset %d, epoch %#x, size %d", i64(b, 16), u64(b, 24), i64(b, 32))
	}
	if at := firstNonzero(b, 40, 56); at >= 0 {
		c.breach(name, at, "a reserved byte is not zero")
	}
	if xxh64(b[:56]) != u64(b, 56) {
		c.breach(name, 56, "wrong checksum")
	}
	if !c.PowerLost {
		for i := range entries {
			c.indexEntry(name, b, s, i, shift)
		}
	}
}

// indexEntry judges the entry of a stretch. Its time may be that of another batch
// of the stretch, as two producers may store it at once.
func (c *checker) indexEntry(name string, b []byte, s *Segment, stretch int64, shift uint32) {
	at := indexHeader + indexEntry*stretch
	word := u64(b, int(at)+8)
	if word == 0 {
		return
	}
	cursor, plausible := cursorOf(word, s.Size)
	if plausible && cursor.Position >= s.End && c.InUse {
		return // of a batch that is newer than what was read of the segment
	}
	if !plausible || cursor.Position>>shift != stretch {
		c.breach(name, at+8, "place %#x is not in stretch %d", word, stretch)
		return
	}
	var isBatch, hasTime bool
	for _, batch := range s.Batches {
		if batch.Position>>shift != stretch {
			continue
		}
		hasTime = hasTime || batch.Time == i64(b, int(at))
		isBatch = isBatch || batch.Position == cursor.Position && batch.Offset-s.Base == cursor.Count
	}
	if !isBatch {
		c.breach(name, at+8, "no batch at %+v", cursor)
	} else if !hasTime {
		c.breach(name, at, "no batch of stretch %d has time %d", stretch, i64(b, int(at)))
	}
}
