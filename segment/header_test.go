package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func TestHeaderRoundTrip(t *testing.T) {
	for _, h := range []FileHeader{
		testHeader,
		{Size: MinBytes},
		{Base: maxOffset, Epoch: 1<<64 - 1, Size: MaxBytes, Floor: -1},
	} {
		b := make([]byte, HeaderBytes)
		h.encode(b)
		got, err := DecodeHeader(b)
		if got != h || err != nil {
			t.Errorf("%+v became %+v, %v", h, got, err)
		}
	}
}

// patched returns the bytes of testHeader with a change. mend puts a right
// checksum on them.
func patched(mend bool, change func([]byte)) []byte {
	b := make([]byte, HeaderBytes)
	testHeader.encode(b)
	change(b)
	if mend {
		binary.LittleEndian.PutUint64(b[offSum:], hash(b[:offSum]))
	}
	return b
}

func TestHeaderIsRefused(t *testing.T) {
	put32 := func(off int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[off:], v) }
	}
	put64 := func(off int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[off:], v) }
	}
	cases := map[string]struct {
		bytes  []byte
		reason string
	}{
		"empty":           {nil, "short"},
		"cut":             {patched(false, func([]byte) {})[:endOfFixed-1], "short"},
		"zeros":           {make([]byte, HeaderBytes), "magic"},
		"foreign magic":   {patched(true, func(b []byte) { b[0] = 'M' }), "magic"},
		"later version":   {patched(true, put32(offVersion, Version+1)), "version"},
		"version 0":       {patched(true, put32(offVersion, 0)), "version"},
		"header length":   {patched(true, put32(offHeader, 2*HeaderBytes)), "header of 8192 bytes"},
		"checksum":        {patched(false, put64(offSum, 0)), "checksum"},
		"negative offset": {patched(true, put64(offBase, 1<<63)), "base offset"},
		"offset too high": {patched(true, put64(offBase, maxOffset+1)), "base offset"},
		"too small":       {patched(true, put64(offSize, MinBytes-4096)), "size"},
		"too large":       {patched(true, put64(offSize, MaxBytes+4096)), "size"},
		"not in pages":    {patched(true, put64(offSize, MinBytes+1)), "size"},
	}
	for name, c := range cases {
		_, err := DecodeHeader(c.bytes)
		var bad *HeaderError
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, c.reason) {
			t.Errorf("%s: %v", name, err)
		} else if bad.Version != (c.reason == "version") {
			t.Errorf("%s: taken for a later version: %v", name, bad.Version)
		}
	}
}

func TestEveryFlippedHeaderBitIsDetected(t *testing.T) {
	b := patched(false, func([]byte) {})
	for i := range 8 * endOfFixed {
		b[i/8] ^= 1 << (i % 8)
		if h, err := DecodeHeader(b); err == nil {
			t.Errorf("bit %d of byte %d flipped: %+v", i%8, i/8, h)
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

func TestMapRefusesAnotherSize(t *testing.T) {
	good := patched(false, func([]byte) {})
	for name, size := range map[string]int{"short": MinBytes - 1, "shorter than its header says": MinBytes, "longer": MinBytes + 8192} {
		h := testHeader
		if h.Size = MinBytes + 4096; size < MinBytes {
			h.Size = MinBytes
		}
		content := make([]byte, size)
		copy(content, good)
		h.encode(content)
		s, err := Map(newFile(t, content), false)
		var bad *HeaderError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
			s.Close()
		}
	}
}

func TestCheckSize(t *testing.T) {
	for size, ok := range map[int64]bool{
		MinBytes: true, MinBytes + 4096: true, MaxBytes: true,
		0: false, -4096: false, MinBytes - 4096: false, MinBytes + 512: false, MaxBytes + 4096: false,
	} {
		if err := CheckSize(size); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// A bit flipped anywhere in the header's fixed part leaves the segment readable,
// by the copy, and so does one in the copy. Flipped in both, it is found.
func TestHeaderCopy(t *testing.T) {
	whole := newSegment(t, testHeader, 0)
	for i := range endOfFixed {
		for _, at := range []int{i, offCopy + i} {
			head := bytes.Clone(whole.Bytes()[:HeaderBytes])
			head[at] ^= 0x10
			if h, err := DecodeHeader(head); h != testHeader || err != nil || IsHeaderWhole(head) {
				t.Fatalf("byte %d: %+v, %v, whole %t", at, h, err, IsHeaderWhole(head))
			}
		}
		head := bytes.Clone(whole.Bytes()[:HeaderBytes])
		head[i] ^= 1
		head[offCopy+i] ^= 1
		if _, err := DecodeHeader(head); err == nil {
			t.Fatalf("byte %d and its copy are wrong, and nothing was said", i)
		}
	}
	head := bytes.Clone(whole.Bytes()[:HeaderBytes])
	clear(head[offCopy : offCopy+endOfFixed])
	if h, err := DecodeHeader(head); h != testHeader || err != nil || !IsHeaderWhole(head) {
		t.Errorf("a segment without a copy: %+v, %v", h, err)
	}
}
