package segment

import "testing"

// TestReadRun: a run is what Read gives, and ends before whatever Read has more to
// say about.
func TestReadRun(t *testing.T) {
	const nothingYet = "nothing yet"
	lone := []Record{value("one"), value(""), value("three")}
	ends := map[string]struct {
		put  func(s *Segment, c Cursor)
		want int
	}{
		nothingYet:       {func(*Segment, Cursor) {}, 3},
		"the end marker": {func(s *Segment, c Cursor) { s.Seal(c) }, 3},
		"a key":          {func(s *Segment, c Cursor) { put(t, s, c, testTime, Record{Key: []byte("k")}) }, 3},
		"two records":    {func(s *Segment, c Cursor) { put(t, s, c, testTime, value("a"), value("b")) }, 3},
		"damaged body":   {func(s *Segment, c Cursor) { s.data[c.Position-8] ^= 1 }, 2},
		"damaged time": {func(s *Segment, c Cursor) {
			s.data[put(t, s, c, testTime, value("x")).Position-40+16] ^= 1
		}, 3},
		"a length that does not fit": {func(s *Segment, c Cursor) { s.word32(c.Position).Store(1 << 31) }, 3},
		"a length of nothing":        {func(s *Segment, c Cursor) { s.word32(c.Position).Store(FrameBytes - 1) }, 3},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := newSegment(t, testHeader, 0)
			c := start
			for i := range lone {
				c = put(t, s, c, testTime+int64(i)*700_000_000, lone[i])
			}
			end.put(s, c)
			got := make([]Record, 10)
			n, next, dry := s.ReadRun(HeaderBytes, s.Base, got, 1<<20)
			if n != end.want || dry != (name == nothingYet) {
				t.Fatalf("a run of %d, dry %v, want %d", n, dry, end.want)
			}
			var f Frame
			pos := int64(HeaderBytes)
			for i := range n {
				if err := s.Read(pos, s.Base+int64(i), &f); err != nil {
					t.Fatal(err)
				}
				records, err := decodeAll(&f)
				if err != nil {
					t.Fatal(err)
				}
				if d := diff(got[i:i+1], records); d != "" {
					t.Error(d)
				}
				pos = f.Next()
			}
			if next != pos {
				t.Errorf("it ends at %d, want %d", next, pos)
			}
		})
	}
}

// TestReadRunBounds: it takes no more than is asked for, and nothing from a place
// that is none.
func TestReadRunBounds(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	c := start
	for range 5 {
		c = put(t, s, c, testTime, value("0123456789"))
	}
	dst := make([]Record, 6)
	for _, tt := range []struct {
		pos, want int64
		records   int
		bytes     int64
		n         int
		dry       bool
	}{
		{HeaderBytes, s.Base, 6, 1 << 20, 5, true},
		{HeaderBytes, s.Base, 5, 1 << 20, 5, false},
		{HeaderBytes, s.Base, 2, 1 << 20, 2, false},
		{HeaderBytes, s.Base, 0, 1 << 20, 0, false},
		{HeaderBytes, s.Base, 5, 1, 1, false},
		{HeaderBytes, s.Base + 1, 5, 1 << 20, 0, false},
		{HeaderBytes + 4, s.Base, 5, 1 << 20, 0, false},
		{0, s.Base, 5, 1 << 20, 0, false},
		{-8, s.Base, 5, 1 << 20, 0, false},
		{s.Size - 8, s.Base, 5, 1 << 20, 0, false},
		{s.Size, s.Base, 5, 1 << 20, 0, false},
		{1 << 40, s.Base, 5, 1 << 20, 0, false},
	} {
		if n, next, dry := s.ReadRun(tt.pos, tt.want, dst[:tt.records], tt.bytes); n != tt.n || n == 0 && next != tt.pos || dry != tt.dry {
			t.Errorf("%+v: %d, to %d, dry %v", tt, n, next, dry)
		}
	}
}
