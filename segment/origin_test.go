package segment

import (
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// recycledSegment is one with a batch, in a file that was a segment with three
// longer ones before.
func recycledSegment(t testing.TB) (*Segment, Cursor) {
	t.Helper()
	f := newFile(t, make([]byte, MinBytes))
	earlier := testHeader
	earlier.Base, earlier.Epoch = 10, 99
	s, err := Format(f, earlier)
	if err != nil {
		t.Fatal(err)
	}
	c := start
	for range 3 {
		c = put(t, s, c, testTime, value("a record of an earlier life"))
	}
	s.Seal(c)
	s.Close()
	if got, err := OriginOf(f); got != Recycled || err != nil {
		t.Fatalf("the file is %v, %v", got, err)
	}
	h := testHeader
	h.Origin = Recycled
	if s, err = Format(f, h); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, put(t, s, start, testTime, value("this one"))
}

// TestGoldenRecycled: bytes of an earlier life stand behind the end, and no batch.
func TestGoldenRecycled(t *testing.T) {
	s, c := recycledSegment(t)
	golden := formattest.Golden(t, "recycled.seg", trimmed(s))
	s = mapGolden(t, golden)
	if s.Origin != Recycled || s.LastNonZero(c.Position, s.Size) == c.Position {
		t.Fatalf("%v, and nothing is behind the end", s.Origin)
	}
	if scan := s.Scan(start, nil); scan.End != c || scan.Bad != nil || scan.Sealed {
		t.Errorf("the walk ends with %+v, want the end at %v", scan, c)
	}
	var f Frame
	budget := s.ResyncBudget()
	if s.Resync(c.Position, testHeader.Base+1, &f, &budget) {
		t.Errorf("a batch of an earlier life was found: %+v", f)
	}
}

func TestTornUntil(t *testing.T) {
	s, c := recycledSegment(t)
	if until := s.TornUntil(c, s.Size); until != c.Position {
		t.Errorf("bytes of an earlier life are torn ones, to %d", until)
	}
	after := put(t, s, c, testTime, value("torn off"))
	behind := put(t, s, after, testTime, value("whole, but behind what is torn"))
	s.data[c.Position+FrameBytes]++
	s.ResetMarks(c)
	if scan := s.Scan(start, nil); scan.End != c || scan.Bad == nil {
		t.Fatalf("%+v", scan)
	}
	if until := s.TornUntil(c, s.Size); until != behind.Position {
		t.Errorf("torn until %d, want %d", until, behind.Position)
	}
	s.ZeroFrom(c.Position)
	if scan := s.Scan(start, nil); scan.End != c || scan.Bad != nil {
		t.Errorf("after the cut: %+v", scan)
	}
	if until := s.TornUntil(c, s.Size); until != c.Position {
		t.Errorf("torn until %d after the cut at %d", until, c.Position)
	}
}

// A file made ready says so, and of a segment whose header did not reach the disk
// it proves that it was never synced.
func TestPrepared(t *testing.T) {
	f := newFile(t, make([]byte, MinBytes))
	if got, err := OriginOf(f); got != Made || err != nil {
		t.Errorf("zeros are %v, %v", got, err)
	}
	if err := Prepare(f, testHeader.LogID, MinBytes); err != nil {
		t.Fatal(err)
	}
	if got, err := OriginOf(f); got != Prepared || err != nil {
		t.Errorf("a file made ready is %v, %v", got, err)
	}
	if got, err := NeverSynced(f, testHeader.LogID, 5); got != Earlier || err != nil {
		t.Errorf("under a name: proof %d, %v", got, err)
	}
}

// Header and copy stand in two sectors, each of which a power loss may leave as it
// was in any life of the file.
func TestNeverSyncedOfEarlierLives(t *testing.T) {
	life := func(base int64, id byte) []byte {
		h := FileHeader{LogID: [16]byte{id}, Base: base, Epoch: uint64(base), Size: MinBytes}
		return h.page()[:endOfFixed]
	}
	damaged := life(1, 7)
	damaged[40]++
	none := make([]byte, endOfFixed)
	for name, test := range map[string]struct {
		first, copied []byte
		want          Proof
	}{
		"both of one life":       {life(1, 7), life(1, 7), Earlier},
		"of two lives":           {life(1, 7), life(2, 7), Earlier},
		"one, and zeros":         {life(1, 7), none, Earlier},
		"zeros, and one":         {none, life(2, 7), Earlier},
		"of a later one":         {life(1, 7), life(10, 7), NoProof},
		"of another log":         {life(1, 8), life(1, 8), NoProof},
		"one damaged":            {damaged, life(1, 7), NoProof},
		"its own, and the other": {life(9, 7), life(1, 7), NoProof},
	} {
		head := make([]byte, MinBytes)
		copy(head, test.first)
		copy(head[offCopy:], test.copied)
		f := newFile(t, head)
		if got, err := NeverSynced(f, [16]byte{7}, 9); got != test.want || err != nil {
			t.Errorf("%s: proof %d (%v), want %d", name, got, err, test.want)
		}
	}
}

func TestOriginNames(t *testing.T) {
	for o, want := range map[Origin]string{Made: "made on the spot", Prepared: "prepared", Recycled: "recycled", 9: "unknown (9)"} {
		if o.String() != want {
			t.Errorf("%d is %q", o, o)
		}
	}
}
