package segment

import (
	"bytes"
	"errors"
	"testing"
)

// frameCases are batches of all shapes.
var frameCases = map[string][]Record{
	"plain":               {value("hello")},
	"empty value":         {value("")},
	"nil value":           {{}},
	"empty key":           {{Key: []byte{}}},
	"key":                 {{Key: []byte("k"), Value: []byte("v")}},
	"headers":             {{Headers: []Header{{"a", []byte("1")}, {"a", nil}, {"", []byte("2")}}, Value: []byte("v")}},
	"several":             {value("one"), value(""), value("three")},
	"key on the last":     {value("one"), {Key: []byte("k")}},
	"headers on one":      {value("one"), {Headers: []Header{{"h", []byte("x")}}}, value("three")},
	"long fields":         {{Key: bytes.Repeat([]byte{1}, 127), Value: bytes.Repeat([]byte{2}, 128)}, value(string(bytes.Repeat([]byte{3}, 16384)))},
	"as long as aligned":  {value("12345678")},
	"one more than eight": {value("123456789")},
}

func TestFrameRoundTrip(t *testing.T) {
	for name, records := range frameCases {
		t.Run(name, func(t *testing.T) {
			s := newSegment(t, testHeader, 0xff)
			next := put(t, s, start, testTime, records...)
			var f Frame
			if err := s.Read(HeaderBytes, s.Base, &f); err != nil {
				t.Fatal(err)
			}
			if f.Next() != next.Position || f.End() != s.Base+next.Count {
				t.Errorf("frame ends at %d, offset %d; cursor behind it is %v", f.Next(), f.End(), next)
			}
			got, err := decodeAll(&f)
			if d := diff(got, stamped(s.Base, testTime, records)); d != "" || err != nil {
				t.Error(d, err)
			}
		})
	}
}

// TestEveryFlippedBitIsDetected flips each bit of a batch in turn. A commit word
// that comes out as zero is the one change that looks like something else: like
// a batch that is not there yet.
func TestEveryFlippedBitIsDetected(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	put(t, s, start, testTime, Record{Key: []byte("k"), Value: []byte("value"), Headers: []Header{{"h", []byte("x")}}}, value("two"))
	var f Frame
	if err := s.Read(HeaderBytes, s.Base, &f); err != nil {
		t.Fatal(err)
	}
	flips := 0
	for pos := f.Position; pos < f.Position+f.Length; pos++ {
		for bit := range 8 {
			s.data[pos] ^= 1 << bit
			err := s.Read(HeaderBytes, s.Base, new(Frame))
			var bad *BadFrameError
			if !errors.As(err, &bad) && !(err == ErrNoFrame && !s.Committed(HeaderBytes)) {
				t.Errorf("bit %d of byte %d flipped: %v", bit, pos-f.Position, err)
			}
			s.data[pos] ^= 1 << bit
			flips++
		}
	}
	if want := int(8 * f.Length); flips != want {
		t.Errorf("%d flips, want %d", flips, want)
	}
	if err := s.Read(HeaderBytes, s.Base, &f); err != nil {
		t.Errorf("after all flips were undone: %v", err)
	}
}

// TestSalt: a batch that was copied, bit for bit, is none in its new place.
func TestSalt(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	next := put(t, s, start, testTime, value("hello"))
	frame := bytes.Clone(s.data[HeaderBytes:next.Position])

	otherEpoch, otherLog := testHeader, testHeader
	otherEpoch.Epoch++
	otherLog.Epoch = ^testHeader.Epoch
	cases := map[string]struct {
		header   FileHeader
		position int64
		verifies bool
	}{
		"same place":        {testHeader, HeaderBytes, true},
		"another position":  {testHeader, HeaderBytes + 8, false},
		"another epoch":     {otherEpoch, HeaderBytes, false},
		"another log":       {otherLog, HeaderBytes, false},
		"far behind itself": {testHeader, 4 * HeaderBytes, false},
	}
	for name, c := range cases {
		to := newSegment(t, c.header, 0)
		copy(to.data[c.position:], frame)
		err := to.Read(c.position, s.Base, new(Frame))
		if (err == nil) != c.verifies {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestImplausibleFrames writes batches that no honest producer writes, with
// checksums that are right.
func TestImplausibleFrames(t *testing.T) {
	const room = MinBytes - HeaderBytes
	cases := map[string]struct {
		frame Frame
		bad   bool
	}{
		"plain":                       {Frame{Base: 5, Count: 1}, false},
		"unknown attribute":           {Frame{Base: 5, Count: 1, attrs: 1 << 2}, true},
		"no records":                  {Frame{Base: 5}, true},
		"more records than bytes":     {Frame{Base: 5, Count: 4, Body: []byte("123")}, true},
		"a byte for each record":      {Frame{Base: 5, Count: 3, Body: []byte("\x00\x00\x00")}, false},
		"negative offset":             {Frame{Base: -1, Count: 1}, true},
		"highest offset":              {Frame{Base: maxOffset, Count: 1}, false},
		"offset out of bounds":        {Frame{Base: maxOffset + 1, Count: 1}, true},
		"end marker":                  {Frame{Base: 5, attrs: attrEnd}, false},
		"end marker with records":     {Frame{Base: 5, Count: 1, attrs: attrEnd}, true},
		"end marker with a body":      {Frame{Base: 5, Body: []byte("x"), attrs: attrEnd}, true},
		"end marker with keys":        {Frame{Base: 5, attrs: attrEnd | attrKeys}, true},
		"room for the end marker":     {Frame{Base: 5, Count: 1, Body: make([]byte, room-2*FrameBytes)}, false},
		"no room for the end marker":  {Frame{Base: 5, Count: 1, Body: make([]byte, room-2*FrameBytes+1)}, true},
		"up to the end of the mapped": {Frame{Base: 5, Count: 1, Body: make([]byte, room-FrameBytes)}, true},
	}
	for name, c := range cases {
		data := make([]byte, MinBytes)
		forge(data, HeaderBytes, testHeader.Epoch, c.frame)
		err := readFrame(data, HeaderBytes, testHeader.Epoch, new(Frame))
		var bad *BadFrameError
		if errors.As(err, &bad) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// forge commits a frame whose checksum is right, whatever else it says.
func forge(data []byte, pos int64, epoch uint64, f Frame) {
	f.Length = FrameBytes + int64(len(f.Body))
	putFrame(data, pos, epoch, &f, hash(f.Body))
	inMemory(data, testHeader).word32(pos).Store(uint32(f.Length))
}

func TestReadFrameOutOfBounds(t *testing.T) {
	data := make([]byte, MinBytes)
	for _, pos := range []int64{-8, 0, HeaderBytes - 8, HeaderBytes + 4, MinBytes - FrameBytes + 8, MinBytes, 1 << 40} {
		var bad *BadFrameError
		if err := readFrame(data, pos, 1, new(Frame)); !errors.As(err, &bad) {
			t.Errorf("position %d: %v", pos, err)
		}
	}
	for _, length := range []uint32{1, FrameBytes - 1, MinBytes - HeaderBytes + 1, 1 << 31, 1<<32 - 1} {
		inMemory(data, testHeader).word32(HeaderBytes).Store(length)
		var bad *BadFrameError
		if err := readFrame(data, HeaderBytes, 1, new(Frame)); !errors.As(err, &bad) {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

func TestReadWantsTheRightOffset(t *testing.T) {
	s := newSegment(t, testHeader, 0)
	put(t, s, start, testTime, value("hello"))
	var bad *BadFrameError
	if err := s.Read(HeaderBytes, s.Base+1, new(Frame)); !errors.As(err, &bad) {
		t.Errorf("offset 1001 where 1000 stands: %v", err)
	}
}
