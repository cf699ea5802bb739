package segment

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// testHeader is the header of most segments here: the smallest size, a base
// offset and an epoch in which no byte is like another.
var testHeader = FileHeader{
	LogID: [16]byte{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f},
	Base:  1000,
	Epoch: 0x0123456789abcdef,
	Size:  MinBytes,
	Floor: testTime,
}

const testTime = 1_700_000_000_000_000_000

var start = Cursor{Position: HeaderBytes}

// newSegment formats a segment file whose bytes were all dirt before, as those
// of a reused file are.
func newSegment(t testing.TB, h FileHeader, dirt byte) *Segment {
	t.Helper()
	f := newFile(t, bytes.Repeat([]byte{dirt}, int(h.Size)))
	s, err := Format(f, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newFile returns an open file with these bytes, which the test's end closes.
func newFile(t testing.TB, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "segment")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// inMemory is a segment over plain bytes, for tests that make very many.
func inMemory(data []byte, h FileHeader) *Segment { return &Segment{FileHeader: h, data: data} }

func encode(t testing.TB, records ...Record) *Body {
	t.Helper()
	var b Body
	if err := b.Encode(records, MaxFrame(MaxBytes)); err != nil {
		t.Fatal(err)
	}
	return &b
}

// put appends a batch of these records as a producer does.
func put(t testing.TB, s *Segment, c Cursor, timeNs int64, records ...Record) Cursor {
	t.Helper()
	b := encode(t, records...)
	next := s.Stage(c, b, timeNs)
	s.SetLastTime(timeNs)
	s.Commit(c.Position, b)
	s.SetTail(next)
	return next
}

func value(text string) Record { return Record{Value: []byte(text)} }

// decodeAll returns copies of the records of a frame.
func decodeAll(f *Frame) ([]Record, error) {
	var it Records
	var r Record
	var all []Record
	for it.Reset(f); it.Left() > 0; {
		if err := it.Next(&r); err != nil {
			return all, err
		}
		all = append(all, r.Clone())
	}
	return all, nil
}

// diff says in what two lists of records differ, "" if in nothing. An absent key
// and an empty one differ; an absent value and an empty one do not.
func diff(got, want []Record) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d records, want %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		switch {
		case g.Offset != w.Offset || !g.Time.Equal(w.Time):
			return fmt.Sprintf("record %d: offset %d time %v, want %d %v", i, g.Offset, g.Time, w.Offset, w.Time)
		case (g.Key == nil) != (w.Key == nil) || !bytes.Equal(g.Key, w.Key):
			return fmt.Sprintf("record %d: key %#v, want %#v", i, g.Key, w.Key)
		case !bytes.Equal(g.Value, w.Value):
			return fmt.Sprintf("record %d: value %q, want %q", i, g.Value, w.Value)
		case len(g.Headers) != len(w.Headers):
			return fmt.Sprintf("record %d: %d headers, want %d", i, len(g.Headers), len(w.Headers))
		}
		for j, h := range g.Headers {
			if h.Key != w.Headers[j].Key || !bytes.Equal(h.Value, w.Headers[j].Value) {
				return fmt.Sprintf("record %d: header %d is %v, want %v", i, j, h, w.Headers[j])
			}
		}
	}
	return ""
}

// stamped returns the records as a reader gets them from a batch.
func stamped(base, timeNs int64, records []Record) []Record {
	out := make([]Record, len(records))
	for i, r := range records {
		r.Offset, r.Time = base+int64(i), time.Unix(0, timeNs)
		out[i] = r
	}
	return out
}
