package segment

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

// addGoldenFrames seeds a fuzz target with the batches of the golden segments.
func addGoldenFrames(f *testing.F, add func(frame []byte, attrs uint32, count int)) {
	for _, name := range []string{"batches.seg", "sealed.seg"} {
		s := mapGolden(f, formattest.Load(f, name))
		var fr Frame
		for pos, want := int64(HeaderBytes), s.Base; s.Read(pos, want, &fr) == nil; pos, want = fr.Next(), fr.End() {
			add(s.data[pos:fr.Next()], fr.attrs, fr.Count)
		}
	}
}

// FuzzFrame puts arbitrary bytes where a batch belongs. The checksum hardly ever
// fits those, so with mend it is made to fit: what is behind it is reached then.
func FuzzFrame(f *testing.F) {
	addGoldenFrames(f, func(frame []byte, _ uint32, _ int) {
		f.Add(frame, uint16(HeaderBytes), true)
		f.Add(frame, uint16(MinBytes-FrameBytes), false)
	})
	data := make([]byte, MinBytes)
	f.Fuzz(func(t *testing.T, in []byte, at uint16, mend bool) {
		clear(data)
		pos := int64(at)
		copy(data[pos:], in)
		if mend {
			mendFrame(data, pos)
		}
		var fr Frame
		if err := readFrame(data, pos, testHeader.Epoch, &fr); err != nil {
			var bad *BadFrameError
			if err != ErrNoFrame && !errors.As(err, &bad) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		if fr.Length != FrameBytes+int64(len(fr.Body)) || fr.Next() > MinBytes || cap(fr.Body) != len(fr.Body) {
			t.Fatalf("frame out of bounds: %+v", fr)
		}
		if !fr.IsEnd() && (fr.Next() > MinBytes-EndMarkerBytes || fr.Count < 1 && !fr.IsLost() || fr.Base < 0 || fr.End() < fr.Base) {
			fr.Body = nil
			t.Fatalf("implausible frame: %+v", fr)
		}
		again := make([]byte, MinBytes)
		forge(again, pos, testHeader.Epoch, fr)
		if string(again[pos:pos+fr.Length]) != string(data[pos:pos+fr.Length]) {
			t.Fatal("the frame does not write back to the same bytes")
		}
	})
}

// mendFrame makes the checksum of what stands at pos right, if its length is one
// that could be.
func mendFrame(data []byte, pos int64) {
	if pos%frameAlign != 0 || pos < HeaderBytes || pos+FrameBytes > int64(len(data)) {
		return
	}
	length := int64(binary.LittleEndian.Uint32(data[pos:]))
	if length < FrameBytes || length > int64(len(data))-pos {
		return
	}
	h := data[pos : pos+FrameBytes]
	binary.LittleEndian.PutUint64(h[24:], checksum(testHeader.Epoch+uint64(pos), h, hash(data[pos+FrameBytes:pos+length])))
}

// FuzzScan walks over a segment whose bytes behind the header are arbitrary. With
// mend the checksums of all batches that follow one another are right, so that
// hostile batches are met and walked over too.
func FuzzScan(f *testing.F) {
	f.Add(formattest.Load(f, "batches.seg")[HeaderBytes:], uint64(0), true)
	f.Add(formattest.Load(f, "sealed.seg")[HeaderBytes:], uint64(1<<64-1), true)
	f.Add(formattest.Load(f, "lost.seg")[HeaderBytes:], uint64(HeaderBytes/8), false)
	// An end marker at the very start, which leads back to its own segment.
	f.Add([]byte{32, 0, 0, 0, attrEnd, 0, 0, 0, byte(testHeader.Base & 0xff), byte(testHeader.Base >> 8), 31: 0}, uint64(0), true)
	data := make([]byte, MinBytes)
	f.Fuzz(func(t *testing.T, in []byte, tail uint64, mend bool) {
		clear(data)
		copy(data[HeaderBytes:], in)
		s := inMemory(data, testHeader)
		if mend {
			mendAll(data)
		}
		s.word64(offTail).Store(tail)
		for _, from := range []Cursor{start, s.Tail()} {
			scan := s.Scan(from, func(f *Frame) {
				if records, err := decodeAll(f); err == nil && len(records) != f.Count && !f.IsLost() {
					t.Fatalf("%d records in a batch of %d", len(records), f.Count)
				}
			})
			if scan.End.Position < HeaderBytes || scan.End.Position > MinBytes-EndMarkerBytes || scan.End.Count < from.Count {
				t.Fatalf("scan from %v ends at %v", from, scan.End)
			}
			if UnpackCursor(scan.End.Pack()) != scan.End {
				t.Fatalf("cursor %v does not fit its word", scan.End)
			}
			if scan.Sealed && scan.End.Count == 0 {
				t.Fatal("an end marker leads back to its own segment")
			}
			var fr Frame
			budget := s.ResyncBudget()
			if s.Resync(scan.End.Position, s.Base+scan.End.Count, &fr, &budget) && fr.Position <= scan.End.Position {
				t.Fatalf("resync from %d went back to %d", scan.End.Position, fr.Position)
			}
		}
	})
}

// mendAll makes the checksums of all batches right that follow one another from
// the start.
func mendAll(data []byte) {
	for pos := int64(HeaderBytes); pos+FrameBytes <= int64(len(data)); {
		mendFrame(data, pos)
		length := int64(binary.LittleEndian.Uint32(data[pos:]))
		if length < FrameBytes || length > int64(len(data))-pos {
			return
		}
		pos += aligned(length)
	}
}

// FuzzRecords decodes arbitrary bodies. What a body yields, encoded again, is
// the same records.
func FuzzRecords(f *testing.F) {
	addGoldenFrames(f, func(frame []byte, attrs uint32, count int) {
		f.Add(frame[FrameBytes:], byte(attrs), uint16(count))
	})
	f.Fuzz(func(t *testing.T, body []byte, attrs byte, count uint16) {
		fr := Frame{Base: 7, Time: testTime, Body: body, Count: int(count), attrs: uint32(attrs) & (attrKeys | attrHeaders)}
		records, err := decodeAll(&fr)
		total := 0
		for _, r := range records {
			total += len(r.Key) + len(r.Value)
			for _, h := range r.Headers {
				total += len(h.Key) + len(h.Value)
			}
		}
		if total > len(body) {
			t.Fatalf("%d bytes of fields in a body of %d", total, len(body))
		}
		if err != nil || count == 0 {
			return
		}
		again := encode(t, records...)
		back, err := decodeAll(&Frame{Base: 7, Time: testTime, Body: again.bytes, Count: again.count, attrs: again.attrs})
		if d := diff(back, records); d != "" || err != nil {
			t.Fatal(d, err)
		}
	})
}

// FuzzBodyRoundTrip cuts the input into records and has them come back.
func FuzzBodyRoundTrip(f *testing.F) {
	f.Add([]byte("keyvaluename"), []byte{0, 3, 5, 1, 2, 3})
	f.Add([]byte{}, []byte{1, 2, 0, 3, 0})
	f.Fuzz(func(t *testing.T, text, plan []byte) {
		take := func() []byte {
			if len(plan) == 0 {
				return nil
			}
			n := min(int(plan[0]), len(text))
			field := text[:n:n]
			text, plan = text[n:], plan[1:]
			return field
		}
		var records []Record
		for len(plan) > 0 && len(records) < 100 {
			kind := plan[0]
			plan = plan[1:]
			var r Record
			if kind&1 != 0 {
				r.Key = append([]byte{}, take()...)
			}
			for range kind >> 1 & 3 {
				r.Headers = append(r.Headers, Header{string(take()), take()})
			}
			r.Value = take()
			records = append(records, r)
		}
		if len(records) == 0 {
			return
		}
		data := make([]byte, 1<<17)
		h := testHeader
		h.Size = int64(len(data))
		s := inMemory(data, h)
		b := encode(t, records...)
		if !s.Fits(HeaderBytes, b.FrameLength()) {
			return
		}
		s.Stage(start, b, testTime)
		s.Commit(HeaderBytes, b)
		var fr Frame
		if err := s.Read(HeaderBytes, s.Base, &fr); err != nil {
			t.Fatal(err)
		}
		back, err := decodeAll(&fr)
		if d := diff(back, stamped(s.Base, testTime, records)); d != "" || err != nil {
			t.Fatal(d, err)
		}
	})
}

// FuzzSegmentHeader decodes arbitrary headers, and with mend ones whose checksum
// is right. What is accepted is within bounds and writes back to the same bytes,
// but for the reserved ones.
func FuzzSegmentHeader(f *testing.F) {
	f.Add(formattest.Load(f, "batches.seg")[:endOfFixed], false)
	f.Add(formattest.Load(f, "sealed.seg")[:HeaderBytes], true)
	f.Fuzz(func(t *testing.T, in []byte, mend bool) {
		if mend && len(in) >= endOfFixed {
			binary.LittleEndian.PutUint64(in[offSum:], hash(in[:offSum]))
		}
		h, err := DecodeHeader(in)
		if err != nil {
			var bad *HeaderError
			if !errors.As(err, &bad) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		if CheckSize(h.Size) != nil || h.Base < 0 || h.Base > maxOffset {
			t.Fatalf("header out of bounds: %+v", h)
		}
		_ = time.Unix(0, h.Floor)
		var b [endOfFixed]byte
		h.encode(b[:])
		written := in[:offOrigin+4]
		if _, err := decodeFixed(in); err != nil { // it was the copy that was taken
			written = in[offCopy : offCopy+offOrigin+4]
		}
		if string(b[:offOrigin+4]) != string(written) {
			t.Fatal("the header does not write back to the same bytes")
		}
	})
}
