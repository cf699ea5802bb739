package segment

import (
	"bytes"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// A goldenBatch is a batch of the golden segment, with what its frame must say.
type goldenBatch struct {
	name     string
	records  []Record
	position int64
	length   int64
	attrs    uint32
}

var goldenBatches = []goldenBatch{
	{"one plain record", []Record{value("hello")}, 4096, 37, 0},
	{"empty value", []Record{value("")}, 4136, 32, 0},
	{"empty key is not an absent one", []Record{{Key: []byte{}, Value: []byte("v")}}, 4168, 34, attrKeys},
	{"key", []Record{{Key: []byte("key"), Value: []byte("value")}}, 4208, 41, attrKeys},
	{"headers keep their order, names repeat", []Record{{
		Headers: []Header{{"b", []byte("2")}, {"a", []byte("1")}, {"b", nil}},
		Value:   []byte("with headers"),
	}}, 4256, 56, attrHeaders},
	{"several records", []Record{value("first"), value(""), value("third")}, 4312, 45, 0},
	{"keys and headers on some of them", []Record{
		{Value: []byte("neither")},
		{Key: []byte{}, Value: []byte("empty key")},
		{Key: []byte("k"), Headers: []Header{{"h", []byte("x")}}, Value: []byte("both")},
	}, 4360, 66, attrKeys | attrHeaders},
}

const (
	goldenTail    = 4432
	goldenDurable = 4208 // after the third batch
)

// TestGoldenBatches reads a segment file of format v1 and writes it back.
func TestGoldenBatches(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	c := start
	for i, b := range goldenBatches {
		if c.Position == goldenDurable {
			s.RaiseDurable(c)
		}
		c = put(t, s, c, testTime+int64(i), b.records...)
	}
	checkGoldenBatches(t, formattest.Golden(t, "batches.seg", trimmed(s)))
}

// Segments of logs without the feature "header copies" are read as well.
func TestGoldenWithoutCopy(t *testing.T) {
	golden, err := os.ReadFile("testdata/batches-nocopy.seg")
	if err != nil {
		t.Fatal(err)
	}
	checkGoldenBatches(t, golden)
}

func checkGoldenBatches(t *testing.T, golden []byte) {
	t.Helper()
	s := mapGolden(t, golden)
	if s.FileHeader != testHeader {
		t.Errorf("header is %+v, want %+v", s.FileHeader, testHeader)
	}
	if got, want := s.Tail(), (Cursor{goldenTail, 11}); got != want {
		t.Errorf("tail is %v, want %v", got, want)
	}
	if got, want := s.Durable(), (Cursor{goldenDurable, 3}); got != want {
		t.Errorf("durable mark is %v, want %v", got, want)
	}
	if got, want := s.LastTime(), testTime+int64(len(goldenBatches)-1); got != want {
		t.Errorf("last time is %d, want %d", got, want)
	}
	offset := testHeader.Base
	var f Frame
	for i, b := range goldenBatches {
		if err := s.Read(b.position, offset, &f); err != nil {
			t.Fatalf("%s: %v", b.name, err)
		}
		if f.Length != b.length || f.attrs != b.attrs || f.Count != len(b.records) || f.Base != offset || f.Time != testTime+int64(i) || f.IsEnd() {
			t.Errorf("%s: frame is %+v", b.name, f)
		}
		records, err := decodeAll(&f)
		if d := diff(records, stamped(offset, f.Time, b.records)); d != "" || err != nil {
			t.Errorf("%s: %s %v", b.name, d, err)
		}
		offset = f.End()
	}
	if err := s.Read(f.Next(), offset, &f); err != ErrNoFrame {
		t.Errorf("behind the last batch: %v, want ErrNoFrame", err)
	}
}

// TestGoldenSealed does the same for a segment that is full.
func TestGoldenSealed(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	c := put(t, s, start, testTime+7, value("last"))
	s.Seal(c)
	golden := formattest.Golden(t, "sealed.seg", trimmed(s))

	s = mapGolden(t, golden)
	var f Frame
	if err := s.Read(4096+40, 1001, &f); err != nil {
		t.Fatal(err)
	}
	if !f.IsEnd() || f.Count != 0 || f.Length != EndMarkerBytes || f.Base != 1001 || f.Time != testTime+7 || len(f.Body) != 0 {
		t.Errorf("end marker is %+v", f)
	}
}

// TestGoldenLost does the same for one whose second batch was lost to damage.
func TestGoldenLost(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	c := put(t, s, start, testTime, value("before"))
	after := put(t, s, c, testTime+1, value("one"), value("two"))
	last := put(t, s, after, testTime+2, value("after"))
	if end, err := s.MarkLost(c, 2, after.Position, testTime+1); end != after || err != nil {
		t.Fatalf("the mark ends at %v, want %v; %v", end, after, err)
	}
	golden := formattest.Golden(t, "lost.seg", trimmed(s))

	s = mapGolden(t, golden)
	var f Frame
	if err := s.Read(c.Position, testHeader.Base+1, &f); err != nil || !f.IsLost() || f.Count != 2 || f.Next() != after.Position {
		t.Errorf("frame %+v, %v", f, err)
	}
	if scan := s.Scan(start, nil); scan.End != last || scan.Bad != nil {
		t.Errorf("the walk ends at %v, %v; want %v", scan.End, scan.Bad, last)
	}
}

// trimmed returns a segment's bytes without the zeros at their end, which golden
// files leave out.
func trimmed(s *Segment) []byte { return bytes.TrimRight(s.Bytes(), "\x00") }

func mapGolden(t testing.TB, golden []byte) *Segment {
	t.Helper()
	content := make([]byte, testHeader.Size)
	copy(content, golden)
	s, err := Map(newFile(t, content), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
