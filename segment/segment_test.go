package segment

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestFormatOverDirt(t *testing.T) {
	s := newSegment(t, testHeader, 0xff)
	if s.Tail() != start || s.Durable() != start || s.LastTime() != testHeader.Floor {
		t.Errorf("tail %v, durable %v, last time %d", s.Tail(), s.Durable(), s.LastTime())
	}
	if scan := s.Scan(start, nil); scan.End != start || scan.Sealed || scan.Bad != nil {
		t.Errorf("scan of an empty segment: %+v", scan)
	}
	if i := bytes.IndexByte(s.data[:HeaderBytes], 0xff); i >= 0 {
		t.Errorf("byte %d of the header is from the file's earlier life", i)
	}
}

// TestInvariantZ: over dirty bytes, too, the word behind the committed batches
// is zero before and after each step of an append.
func TestInvariantZ(t *testing.T) {
	s := newSegment(t, testHeader, 0xff)
	c := start
	for size := range 20 {
		b := encode(t, value(string(make([]byte, size))))
		if s.Committed(c.Position) {
			t.Fatalf("%d bytes: the commit word is not zero before the append", size)
		}
		next := s.Stage(c, b, testTime)
		if s.Committed(c.Position) || s.Committed(next.Position) {
			t.Fatalf("%d bytes: staged: commit words are %v and %v, want zero", size, s.Committed(c.Position), s.Committed(next.Position))
		}
		if scan := s.Scan(start, nil); scan.End != c || scan.Bad != nil {
			t.Fatalf("%d bytes: a staged batch is visible: %+v", size, scan)
		}
		s.Commit(c.Position, b)
		if scan := s.Scan(start, nil); scan.End != next || scan.Bad != nil {
			t.Fatalf("%d bytes: after the commit: %+v, want the end at %v", size, scan, next)
		}
		c = next
	}
}

// TestStagedBatchIsOverwritten: a batch that was staged and given up is
// overwritten by the next one, whatever their lengths.
func TestStagedBatchIsOverwritten(t *testing.T) {
	s := newSegment(t, testHeader, 0xff)
	s.Stage(start, encode(t, value("a long one that its producer never committed, being dead")), testTime)
	end := put(t, s, start, testTime, value("short"))
	var f Frame
	if err := s.Read(HeaderBytes, s.Base, &f); err != nil || string(f.Body) != "short" {
		t.Errorf("read %q, %v", f.Body, err)
	}
	if err := s.Read(end.Position, s.Base+1, &f); err != ErrNoFrame {
		t.Errorf("behind it: %v", err)
	}
}

func TestScan(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	one := put(t, s, start, testTime+1, value("one"))
	two := put(t, s, one, testTime+2, value("two"), value("three"))
	visited := 0
	scan := s.Scan(start, func(f *Frame) { visited += f.Count })
	if visited != 3 || scan.End != two || scan.Time != testTime+2 || scan.Sealed || scan.Bad != nil {
		t.Errorf("open: %d records, %+v", visited, scan)
	}
	if scan := s.Scan(two, nil); scan.Time != testHeader.Floor || scan.End != two {
		t.Errorf("scan of nothing: %+v", scan)
	}
	s.Seal(two)
	if scan := s.Scan(one, nil); !scan.Sealed || scan.End != two || scan.Bad != nil {
		t.Errorf("sealed: %+v", scan)
	}
	s.data[one.Position+FrameBytes] ^= 1
	scan = s.Scan(start, nil)
	var bad *BadFrameError
	if scan.End != one || scan.Sealed || !errors.As(scan.Bad, &bad) || bad.Position != one.Position {
		t.Errorf("damaged: %+v", scan)
	}
}

func TestResync(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	one := put(t, s, start, testTime, value("one"))
	two := put(t, s, one, testTime, value("two"))
	three := put(t, s, two, testTime, value("three"))
	s.data[one.Position+FrameBytes] ^= 1
	var f Frame
	budget := s.ResyncBudget()
	if !s.Resync(one.Position, s.Base+1, &f, &budget) || f.Position != two.Position || f.Base != s.Base+2 {
		t.Errorf("behind the damaged batch: %+v, want the one at %d", f, two.Position)
	}
	if !s.Resync(one.Position, s.Base+2, &f, &budget) {
		t.Error("offset 1002 was not found although it is there")
	}
	if s.Resync(one.Position, s.Base+3, &f, &budget) {
		t.Errorf("a batch below the wanted offset was returned: %+v", f)
	}
	if s.Resync(three.Position, s.Base+3, &f, &budget) {
		t.Errorf("found a batch behind the end: %+v", f)
	}
	s.Seal(three)
	if !s.Resync(two.Position, s.Base+2, &f, &budget) || !f.IsEnd() {
		t.Errorf("the end marker was not found: %+v", f)
	}
}

// TestResyncIsBounded: bytes that promise a long batch at each position, none of
// which verifies, do not cost the square of the segment's size.
func TestResyncIsBounded(t *testing.T) {
	h := testHeader
	h.Size = 4 << 20
	data := make([]byte, h.Size)
	s := inMemory(data, h)
	for pos := int64(HeaderBytes); pos+16 <= h.Size; pos += 16 {
		s.word32(pos).Store(uint32(h.Size - pos))
		s.word64(pos + 8).Store(uint64(h.Base))
	}
	before := time.Now()
	for budget := s.ResyncBudget(); budget > 0; {
		if s.Resync(HeaderBytes, h.Base, new(Frame), &budget) {
			t.Error("found a batch in garbage")
		}
	}
	if took := time.Since(before); took > 5*time.Second { // milliseconds, or else about a minute
		t.Errorf("took %v", took)
	}
}

func TestZeroFromAndLastNonZero(t *testing.T) {
	for _, from := range []int64{HeaderBytes, HeaderBytes + 1, 2*HeaderBytes - 1, 5000, MinBytes - 1, MinBytes} {
		s := newSegment(t, testHeader, 0xff)
		if got := s.LastNonZero(from, s.Size); got != MinBytes {
			t.Errorf("dirty to the end: LastNonZero(%d) = %d", from, got)
		}
		s.ZeroFrom(from)
		if got := s.LastNonZero(from, s.Size); got != from {
			t.Errorf("LastNonZero(%d) = %d after ZeroFrom", from, got)
		}
		if from > HeaderBytes+4 && s.data[from-1] != 0xff {
			t.Errorf("ZeroFrom(%d) cleared the byte before", from)
		}
		if last := int64(MinBytes - 9000); from < last {
			s.data[last] = 1
			if got := s.LastNonZero(from, s.Size); got != last+1 {
				t.Errorf("LastNonZero(%d) = %d, want %d", from, got, last+1)
			}
		}
	}
}

func TestCursorWord(t *testing.T) {
	for _, c := range []Cursor{start, {HeaderBytes + 40, 1}, {MinBytes - EndMarkerBytes, 3}, {MaxBytes - EndMarkerBytes, MaxBytes}} {
		if got := UnpackCursor(c.Pack()); got != c {
			t.Errorf("%v became %v", c, got)
		}
	}
	cases := map[string]struct {
		stored, want Cursor
	}{
		"good":                        {Cursor{HeaderBytes + 40, 1}, Cursor{HeaderBytes + 40, 1}},
		"last position":               {Cursor{MinBytes - EndMarkerBytes, 9}, Cursor{MinBytes - EndMarkerBytes, 9}},
		"in the header":               {Cursor{HeaderBytes - 8, 1}, start},
		"behind the last position":    {Cursor{MinBytes - EndMarkerBytes + 8, 9}, start},
		"records before any byte":     {Cursor{HeaderBytes, 1}, start},
		"bytes but no record":         {Cursor{HeaderBytes + 40, 0}, start},
		"more records than bytes":     {Cursor{HeaderBytes + 40, MinBytes + 1}, start},
		"zero":                        {Cursor{}, start},
		"as far as the word can hold": {UnpackCursor(1<<64 - 1), start},
	}
	s := newSegment(t, testHeader, 0)
	for name, c := range cases {
		s.SetTail(c.stored)
		if got := s.Tail(); got != c.want {
			t.Errorf("%s: tail %v is read as %v, want %v", name, c.stored, got, c.want)
		}
	}
}

func TestDurableMarkOnlyGrows(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	high, low := Cursor{HeaderBytes + 80, 2}, Cursor{HeaderBytes + 40, 1}
	s.RaiseDurable(high)
	if s.RaiseDurable(low); s.Durable() != high {
		t.Errorf("durable mark went from %v to %v", high, s.Durable())
	}
}

func TestFits(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	cases := []struct {
		position, length int64
		fits             bool
	}{
		{HeaderBytes, FrameBytes, true},
		{HeaderBytes, MaxFrame(MinBytes), true},
		{HeaderBytes, MaxFrame(MinBytes) + 1, false},
		{HeaderBytes + 40, MaxFrame(MinBytes) - 40, true},
		{HeaderBytes + 40, MaxFrame(MinBytes) - 39, false},
		{MinBytes - EndMarkerBytes, FrameBytes, false},
		{MinBytes - EndMarkerBytes - FrameBytes, FrameBytes, true},
		{MinBytes - EndMarkerBytes - FrameBytes, FrameBytes + 1, false},
	}
	for _, c := range cases {
		if got := s.Fits(c.position, c.length); got != c.fits {
			t.Errorf("Fits(%d, %d) = %v", c.position, c.length, got)
		}
	}
}
