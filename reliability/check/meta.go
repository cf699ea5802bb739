package check

import "io/fs"

// Meta is a log's identity.
type Meta struct {
	ID           [16]byte
	SegmentBytes int64
	Created      int64
	Mode         fs.FileMode
	Features     [3]uint64 // compatible, read-only compatible, incompatible
}

// Features that the page defines, by the class that they are of.
const (
	compatible = iota
	readOnlyCompatible
	incompatible

	headerCopies = 0x1 // compatible
	origins      = 0x2 // compatible
	lostBatches  = 0x1 // incompatible
	recycling    = 0x2 // incompatible
)

var knownFeatures = [3]uint64{compatible: headerCopies | origins, readOnlyCompatible: 0, incompatible: lostBatches | recycling}

// Retention is what may be dropped; zeros set no limit.
type Retention struct {
	Bytes int64
	Age   int64 // nanoseconds
}

// meta parses the file without which nothing else can be judged.
func (c *checker) meta() bool {
	const name, size = "meta", 128
	b := c.read(name)
	switch {
	case len(c.errs) > 0:
		return false
	case b == nil:
		c.breach(name, -1, "is missing: this is no log")
	case len(b) != size:
		c.breach(name, -1, "has %d bytes and not %d", len(b), size)
	case string(b[:8]) != "mlogmeta":
		c.breach(name, 0, "wrong magic %q", b[:8])
	case u32(b, 8) != 1:
		c.breach(name, 8, "version %d", u32(b, 8))
	case xxh64(b[:120]) != u64(b, 120):
		c.breach(name, 120, "wrong checksum")
	}
	if len(c.errs) > 0 {
		return false
	}
	m := Meta{ID: [16]byte(b[40:56]), SegmentBytes: i64(b, 56), Created: i64(b, 64), Mode: fs.FileMode(u32(b, 72))}
	for i := range m.Features {
		m.Features[i] = u64(b, 16+8*i)
		if unknown := m.Features[i] &^ knownFeatures[i]; unknown != 0 {
			c.breach(name, int64(16+8*i), "unknown feature bits %#x", unknown)
		}
	}
	if at := firstNonzero(b, 12, 16); at >= 0 {
		c.breach(name, at, "a reserved byte is not zero")
	}
	if at := firstNonzero(b, 76, 120); at >= 0 {
		c.breach(name, at, "a reserved byte is not zero")
	}
	if s := m.SegmentBytes; s < leastSegment || s > mostSegment || s%segmentSizeUnit != 0 {
		c.breach(name, 56, "segments of %d bytes", s)
	}
	if m.Mode > 0o777 {
		c.breach(name, 72, "mode %#o", m.Mode)
	}
	c.log.Meta = m
	return len(c.errs) == 0
}

func (c *checker) retention() {
	const name, size = "retention", 64
	b := c.read(name)
	if b == nil {
		return // no limits
	}
	if len(b) != size {
		c.breach(name, -1, "has %d bytes and not %d", len(b), size)
		return
	}
	if string(b[:8]) != "mlogretn" {
		c.breach(name, 0, "wrong magic %q", b[:8])
	}
	if v := u32(b, 8); v != 1 {
		c.breach(name, 8, "version %d", v)
	}
	if [16]byte(b[16:32]) != c.log.Meta.ID {
		c.breach(name, 16, "the id of another log")
	}
	for _, field := range [][2]int{{12, 16}, {48, 56}} {
		if at := firstNonzero(b, field[0], field[1]); at >= 0 {
			c.breach(name, at, "a reserved byte is not zero")
		}
	}
	if xxh64(b[:56]) != u64(b, 56) {
		c.breach(name, 56, "wrong checksum")
	}
	r := Retention{Bytes: i64(b, 32), Age: i64(b, 40)}
	if r.Bytes < 0 || r.Age < 0 {
		c.breach(name, 32, "negative limits %+v", r)
	}
	c.log.Retention = r
}

// wake has only a length that can be wrong: whoever may read the log may write
// anything into it.
func (c *checker) wake() {
	const name, size = "wake", 4096
	if b := c.read(name); b == nil {
		c.breach(name, -1, "is missing")
	} else if len(b) != size {
		c.breach(name, -1, "has %d bytes and not %d", len(b), size)
	}
}
