package segment

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func hash(b []byte) uint64 { return xxhash.Sum64(b) }

// TestLargestRecord: the largest batch fits an empty segment to the byte, and
// one byte more is refused before anything is encoded.
func TestLargestRecord(t *testing.T) {
	key := []byte("key")
	cases := map[string]struct {
		record   func(size int64) Record // of this many bytes with its framing
		overhead int64
	}{
		"plain":    {func(n int64) Record { return Record{Value: make([]byte, n)} }, 0},
		"with key": {func(n int64) Record { return Record{Key: key, Value: make([]byte, n-4)} }, 0},
		"in headers": {func(n int64) Record {
			return Record{Headers: []Header{{"h", make([]byte, n-6)}}} // count, 1+"h", 3 bytes of length
		}, 0},
	}
	max := MaxFrame(MinBytes)
	for name, c := range cases {
		s := newSegment(t, testHeader, 0xff)
		var b Body
		if err := b.Encode([]Record{c.record(max - FrameBytes)}, max); err != nil {
			t.Errorf("%s: largest: %v", name, err)
			continue
		}
		if b.FrameLength() != max || !s.Fits(HeaderBytes, b.FrameLength()) || s.Fits(HeaderBytes, b.FrameLength()+1) {
			t.Errorf("%s: length %d, largest %d", name, b.FrameLength(), max)
		}
		next := s.Stage(start, &b, testTime)
		s.Commit(HeaderBytes, &b)
		s.Seal(next)
		if scan := s.Scan(start, nil); !scan.Sealed || scan.End != next || next.Position != MinBytes-EndMarkerBytes {
			t.Errorf("%s: scan of the full segment: %+v", name, scan)
		}
		var tooLarge *TooLargeError
		if err := b.Encode([]Record{c.record(max - FrameBytes + 1)}, max); !errors.As(err, &tooLarge) || tooLarge.Size != max+1 || tooLarge.Max != max {
			t.Errorf("%s: one byte more: %v", name, err)
		}
	}
}

func TestEncodeLimits(t *testing.T) {
	headers := make([]Header, MaxHeaders+1)
	var b Body
	if err := b.Encode([]Record{{Headers: headers}}, MaxBytes); err == nil {
		t.Errorf("%d headers were accepted", len(headers))
	}
	if err := b.Encode([]Record{{Headers: headers[1:]}}, MaxBytes); err != nil {
		t.Errorf("%d headers: %v", MaxHeaders, err)
	}
	if err := b.Encode(nil, MaxBytes); err == nil {
		t.Error("a batch of no records was accepted")
	}
	records := make([]Record, 100)
	var tooLarge *TooLargeError
	if err := b.Encode(records, FrameBytes+99); !errors.As(err, &tooLarge) || tooLarge.Size != FrameBytes+100 {
		t.Errorf("100 empty records in %d bytes: %v", FrameBytes+99, err)
	}
	if err := b.Encode(records, FrameBytes+100); err != nil || b.Count() != 100 {
		t.Errorf("100 empty records: %v", err)
	}
}

// TestEncodedSizeIsExact: the check that runs before encoding counts what is
// encoded.
func TestEncodedSizeIsExact(t *testing.T) {
	for name, records := range frameCases {
		b := encode(t, records...)
		if err := new(Body).Encode(records, b.FrameLength()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var tooLarge *TooLargeError
		if err := new(Body).Encode(records, b.FrameLength()-1); !errors.As(err, &tooLarge) || tooLarge.Size != b.FrameLength() {
			t.Errorf("%s, one byte less: %v", name, err)
		}
	}
}

// TestBodyIsReused: what a Body held before leaves no trace.
func TestBodyIsReused(t *testing.T) {
	var b Body
	for round := range 3 {
		for name, records := range frameCases {
			if err := b.Encode(records, MaxBytes); err != nil {
				t.Fatal(err)
			}
			fresh := encode(t, records...)
			if string(b.bytes) != string(fresh.bytes) || b.sum != fresh.sum || b.attrs != fresh.attrs || b.count != fresh.count {
				t.Errorf("round %d, %s: a used body and a new one differ", round, name)
			}
			b.Reset()
		}
	}
	b.scratch = make([]byte, 0, maxKeptScratch+1)
	if b.Reset(); b.scratch != nil {
		t.Error("Reset kept an outsized buffer")
	}
}

// TestMalformedBodies: bodies that a right checksum covers and that do not hold
// what the frame says.
func TestMalformedBodies(t *testing.T) {
	tooManyHeaders := []byte{0x80, 0x80, 0x04} // uvarint 65536
	cases := map[string]struct {
		attrs uint32
		count int
		body  []byte
	}{
		"key length missing":           {attrKeys, 1, nil},
		"key longer than the body":     {attrKeys, 1, []byte{3, 'k'}},
		"key length of 2^64-1":         {attrKeys, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
		"key length overflows":         {attrKeys, 1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}},
		"key length without end":       {attrKeys, 1, []byte{0x80, 0x80}},
		"header count missing":         {attrHeaders, 1, nil},
		"too many headers":             {attrHeaders, 1, append(tooManyHeaders, make([]byte, 1<<17)...)},
		"header name missing":          {attrHeaders, 1, []byte{1}},
		"header name too long":         {attrHeaders, 1, []byte{1, 5, 'a'}},
		"header value missing":         {attrHeaders, 1, []byte{1, 1, 'a'}},
		"header value too long":        {attrHeaders, 1, []byte{1, 1, 'a', 2, 'b'}},
		"value length missing":         {0, 2, []byte{1, 'a'}},
		"value too long":               {0, 2, []byte{1, 'a', 2, 'b'}},
		"bytes left behind the last":   {0, 2, []byte{1, 'a', 1, 'b', 0}},
		"key absent, value length cut": {attrKeys, 2, []byte{0, 1, 'a', 0}},
	}
	for name, c := range cases {
		_, err := decodeAll(&Frame{attrs: c.attrs, Count: c.count, Body: c.body})
		if !errors.Is(err, errBody) {
			t.Errorf("%s: %v, want errBody", name, err)
		}
	}
}

// TestRecordsAreBounded: views end where their field ends, so that appending to
// one cannot write into the next.
func TestRecordsAreBounded(t *testing.T) {
	b := encode(t, Record{Key: []byte("k"), Value: []byte("v"), Headers: []Header{{"h", []byte("x")}}}, value("w"))
	var it Records
	var r Record
	it.Reset(&Frame{attrs: b.attrs, Count: b.count, Body: b.bytes})
	if err := it.Next(&r); err != nil {
		t.Fatal(err)
	}
	for name, view := range map[string][]byte{"key": r.Key, "value": r.Value, "header": r.Headers[0].Value} {
		if cap(view) != len(view) {
			t.Errorf("%s of %d bytes has room for %d", name, len(view), cap(view))
		}
	}
	if it.Clear(); it.Left() != 0 {
		t.Error("records left after Clear")
	}
}

// TestInternIsBounded: names that never repeat do not pile up.
func TestInternIsBounded(t *testing.T) {
	var it Records
	for i := range 10 * maxNames {
		name := fmt.Sprint("name ", i)
		if got := it.intern([]byte(name)); got != name {
			t.Fatalf("%q became %q", name, got)
		}
		if len(it.names) > maxNames {
			t.Fatalf("%d names are kept, the bound is %d", len(it.names), maxNames)
		}
	}
	long := make([]byte, maxNameBytes+1)
	it.intern(long)
	if _, ok := it.names[string(long)]; ok {
		t.Error("an overlong name is kept")
	}
	repeated := []byte("again")
	it.intern(repeated)
	if n := testing.AllocsPerRun(100, func() { it.intern(repeated) }); n != 0 {
		t.Errorf("a name that repeats takes %v allocations", n)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	bytes := []byte("khvw")
	r := Record{Key: bytes[:1:1], Value: bytes[2:3:3], Headers: []Header{{"h", bytes[1:2:2]}}}
	c := r.Clone()
	copy(bytes, "XXXX")
	if string(c.Key) != "k" || string(c.Value) != "v" || string(c.Headers[0].Value) != "h" {
		t.Errorf("the clone changed with the original: %+v", c)
	}
	if c := (Record{}).Clone(); c.Key != nil || c.Headers != nil {
		t.Errorf("the clone of an empty record has a key or headers: %+v", c)
	}
	if c := (Record{Key: []byte{}}).Clone(); c.Key == nil {
		t.Error("an empty key became an absent one")
	}
}

// TestLateHash: a value that is hashed where it was copied to makes the same batch.
func TestLateHash(t *testing.T) {
	for _, n := range []int{0, 1, 31, 32, 256, 4096} {
		var written [2][]byte
		for i, late := range []bool{false, true} {
			h := FileHeader{Epoch: 7, Size: MinBytes}
			s := inMemory(make([]byte, MinBytes), h)
			var b Body
			if err := b.EncodePlain(bytes.Repeat([]byte{'v'}, n), late, MaxFrame(MinBytes)); err != nil {
				t.Fatal(err)
			}
			c := Cursor{Position: HeaderBytes}
			s.Stage(c, &b, 5)
			s.Commit(c.Position, &b)
			var f Frame
			if err := s.Read(c.Position, 0, &f); err != nil {
				t.Fatalf("%d bytes, late %v: %v", n, late, err)
			}
			written[i] = s.data
		}
		if !bytes.Equal(written[0], written[1]) {
			t.Errorf("%d bytes: the batches differ", n)
		}
	}
}
