package segment

import (
	"encoding/binary"
	"testing"
)

// four appends four batches, and returns where each begins and the end.
func four(t testing.TB, s *Segment) []Cursor {
	at := []Cursor{start}
	for i := range 4 {
		at = append(at, put(t, s, at[i], testTime+int64(i), value("one"), value("two")))
	}
	return at
}

func TestConfirm(t *testing.T) {
	word := func(c Cursor) Cursor { return UnpackCursor(c.Pack()) }
	tests := map[string]struct {
		harm func(s *Segment, at []Cursor) (mark Cursor)
		want int // index of the cursor
		bad  bool
	}{
		"the end":               {func(s *Segment, at []Cursor) Cursor { return at[4] }, 4, false},
		"one that lags":         {func(s *Segment, at []Cursor) Cursor { return at[2] }, 2, false},
		"within a batch":        {func(s *Segment, at []Cursor) Cursor { return Cursor{at[2].Position + 8, at[2].Count} }, 3, false},
		"a wrong count":         {func(s *Segment, at []Cursor) Cursor { return Cursor{at[4].Position, at[4].Count + 16} }, 4, false},
		"behind the end":        {func(s *Segment, at []Cursor) Cursor { return Cursor{at[4].Position + 8192, at[4].Count} }, 4, false},
		"damage before it":      {func(s *Segment, at []Cursor) Cursor { s.data[at[1].Position+40]++; return at[4] }, 4, false},
		"the last body damaged": {func(s *Segment, at []Cursor) Cursor { s.data[at[3].Position+40]++; return at[4] }, 4, false},
		"the last header damaged, and both marks agree": {func(s *Segment, at []Cursor) Cursor {
			s.data[at[3].Position+1]++
			s.RaiseDurable(at[4])
			return at[4]
		}, 4, false},
		"the last header damaged, and nothing speaks for it": {func(s *Segment, at []Cursor) Cursor { s.data[at[3].Position+1]++; return at[4] }, 3, true},
		"the last batch wiped out":                           {func(s *Segment, at []Cursor) Cursor { clear(s.data[at[3].Position:at[4].Position]); return at[4] }, 3, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSegment(t, testHeader, 0)
			at := four(t, s)
			mark := word(test.harm(s, at))
			s.SetTail(mark)
			c, _, err := s.Confirm(start, mark)
			if c != at[test.want] || (err != nil) != test.bad {
				t.Errorf("%+v is confirmed as %+v, %v; want %+v, error: %v", mark, c, err, at[test.want], test.bad)
			}
		})
	}
}

// A sector of another segment may come to stand where the header was, valid as it
// is. The file's name tells which of header and copy is the segment's.
func TestHeaderOfAnotherSegment(t *testing.T) {
	other := testHeader
	other.Base, other.Epoch = 5000, 77
	b := testHeader.page()
	copy(b, other.page()[:512])
	if h, err := DecodeHeaderOf(b, testHeader.Base); err != nil || h != testHeader {
		t.Errorf("got %+v, %v", h, err)
	}
	if h, err := DecodeHeaderOf(b, other.Base); err != nil || h != other {
		t.Errorf("by the other name: %+v, %v", h, err)
	}
	if IsHeaderWhole(b) {
		t.Error("a header that differs from its copy counts as whole")
	}
}

func TestDamagedVersion(t *testing.T) {
	b := testHeader.page()
	b[offVersion] ^= 4
	clear(b[offCopy:])
	if _, err := DecodeHeader(b); err == nil || err.(*HeaderError).Version {
		t.Errorf("a damaged version number is taken for a later version: %v", err)
	}
	binary.LittleEndian.PutUint64(b[offSum:], 1)
	if _, err := DecodeHeader(b); err == nil || !err.(*HeaderError).Version {
		t.Errorf("a later version is taken for damage: %v", err)
	}
}

// A batch may hold values that look like batches. When it is damaged, they must
// not keep the search for the next batch from getting there.
func TestResyncPastWhatLooksLikeBatches(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	decoy := make([]byte, 32<<10)
	for i := 0; i+32 <= len(decoy); i += 8 {
		binary.LittleEndian.PutUint32(decoy[i:], 20<<10)
		i += 8
		binary.LittleEndian.PutUint64(decoy[i:], uint64(testHeader.Base)+50_000)
	}
	second := put(t, s, start, testTime, Record{Value: decoy})
	put(t, s, second, testTime, value("next"))
	s.data[start.Position+8]++
	var f Frame
	budget := s.ResyncBudget()
	if !s.Resync(start.Position, testHeader.Base, &f, &budget) || f.Position != second.Position {
		t.Errorf("found position %d, want %d", f.Position, second.Position)
	}
}

// What came to stand where a header was brings marks along that are another's. They
// count for nothing until new ones are set.
func TestMarksOfDamagedHeader(t *testing.T) {
	page := testHeader.page()
	clear(page[:40])
	foreign := Cursor{Position: HeaderBytes + 4096, Count: 7}
	binary.LittleEndian.PutUint64(page[offTail:], foreign.Pack())
	binary.LittleEndian.PutUint64(page[offDurable:], foreign.Pack())
	f := newFile(t, append(page, make([]byte, MinBytes-HeaderBytes)...))
	s, err := MapNamed(f, testHeader.Base, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.IsDoubtful() || s.Tail() != start || s.Durable() != start {
		t.Errorf("doubtful: %v, tail %+v, durable %+v", s.IsDoubtful(), s.Tail(), s.Durable())
	}
	end := put(t, s, start, testTime, value("first"))
	if s.IsDoubtful() || s.Tail() != end || s.Durable() != start {
		t.Errorf("after a batch: doubtful: %v, tail %+v, durable %+v", s.IsDoubtful(), s.Tail(), s.Durable())
	}
}
