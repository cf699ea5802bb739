package index

import (
	"encoding/binary"
	"sync"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/formattest"
)

const testSegment = 64 << 10

var testHeader = Header{Base: 1000, Epoch: 0x0123456789abcdef, SegmentBytes: testSegment}

// goldenEntries leave most stretches without an entry, the first one too.
var goldenEntries = []Entry{
	{Position: 4096, Count: 0, Time: 1_700_000_000_000_000_000},
	{Position: 8200, Count: 3, Time: 1_700_000_000_000_000_001},
	{Position: 65504, Count: 700, Time: 1_700_000_000_000_000_002},
}

func TestGoldenIndex(t *testing.T) {
	table := NewMemoryTable(testSegment)
	for _, e := range goldenEntries {
		table.Note(e)
	}
	golden := formattest.Golden(t, "three.idx", table.AppendTo(testHeader.Encode()))

	h, err := Decode(golden)
	if h != testHeader || err != nil {
		t.Errorf("header is %+v, %v", h, err)
	}
	if int64(len(golden)) != FileBytes(testSegment) {
		t.Errorf("file of %d bytes, want %d", len(golden), FileBytes(testSegment))
	}
	back := load(golden[HeaderBytes:], testSegment)
	want := map[int]Entry{1: goldenEntries[0], 2: goldenEntries[1], 15: goldenEntries[2]}
	for i := range back.Len() {
		got, ok := back.At(i)
		if w, present := want[i]; ok != present || ok && got != w {
			t.Errorf("entry %d is %+v, %v; want %+v, %v", i, got, ok, w, present)
		}
	}
}

// load makes a table of the bytes of one.
func load(b []byte, segmentBytes int64) *Table {
	t := NewMemoryTable(segmentBytes)
	for i := range t.words {
		t.words[i].Store(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return t
}

// TestShift: for each size that a segment may have, 1024 entries or fewer cover
// it, each position has one, and the stretches are no longer than they must be.
func TestShift(t *testing.T) {
	for size := int64(64 << 10); size <= 1<<30; size += 4096 {
		shift, entries := Shift(size), Entries(size)
		if entries > maxEntries || entries < 16 || shift < minShift {
			t.Fatalf("%d bytes: %d entries of %d bytes", size, entries, 1<<shift)
		}
		if last := int((size - 1) >> shift); last != entries-1 {
			t.Fatalf("%d bytes: the last position has entry %d of %d", size, last, entries)
		}
		if shift > minShift && size <= maxEntries<<(shift-1) {
			t.Fatalf("%d bytes: stretches of %d bytes, half of that would do", size, 1<<shift)
		}
	}
}

func TestNoteKeepsTheFirst(t *testing.T) {
	table := NewMemoryTable(testSegment)
	first := Entry{Position: 4096, Count: 7, Time: 1}
	table.Note(first)
	table.Note(Entry{Position: 4104, Count: 8, Time: 2})
	if got, ok := table.At(1); !ok || got != first {
		t.Errorf("entry 1 is %+v, %v", got, ok)
	}
	if table.Stretch(4096) != table.Stretch(8191) || table.Stretch(8191) == table.Stretch(8192) {
		t.Error("stretches are not 4 KiB")
	}
}

func TestNoteOutOfRange(t *testing.T) {
	table := NewMemoryTable(testSegment)
	for _, position := range []int64{-8, testSegment, 1 << 40} {
		table.Note(Entry{Position: position, Count: 1})
	}
	if _, ok := table.Last(func(Entry) bool { return true }); ok {
		t.Error("an entry outside the segment was stored")
	}
}

func TestLast(t *testing.T) {
	table := NewMemoryTable(testSegment)
	for _, e := range goldenEntries {
		table.Note(e)
	}
	cases := []struct {
		below int64 // a count
		want  int   // of goldenEntries, -1 for none
	}{{0, -1}, {1, 0}, {3, 0}, {4, 1}, {700, 1}, {701, 2}, {1 << 40, 2}}
	for _, c := range cases {
		got, ok := table.Last(func(e Entry) bool { return e.Count < c.below })
		if ok != (c.want >= 0) || ok && got != goldenEntries[c.want] {
			t.Errorf("last below %d: %+v, %v", c.below, got, ok)
		}
	}
}

func TestEntryHoldsTheLargest(t *testing.T) {
	const size = 1 << 30
	table := NewMemoryTable(size)
	e := Entry{Position: size - 32, Count: size, Time: -1}
	table.Note(e)
	if got, ok := table.At(table.Len() - 1); !ok || got != e {
		t.Errorf("%+v became %+v, %v", e, got, ok)
	}
}

func TestNilTableHasNoBytes(t *testing.T) {
	var table *Table
	if b := table.AppendTo([]byte("x")); string(b) != "x" {
		t.Errorf("%q", b)
	}
}

func TestHeaderIsRefused(t *testing.T) {
	cases := map[string]func(b []byte) []byte{
		"empty":                func([]byte) []byte { return nil },
		"cut":                  func(b []byte) []byte { return b[:HeaderBytes-1] },
		"foreign magic":        func(b []byte) []byte { b[0] = 'M'; return mend(b) },
		"later version":        func(b []byte) []byte { b[offVersion]++; return mend(b) },
		"checksum":             func(b []byte) []byte { b[offSum]++; return b },
		"another stretch":      func(b []byte) []byte { b[offShift]++; return mend(b) },
		"negative offset":      func(b []byte) []byte { b[offBase+7] = 0x80; return mend(b) },
		"no segment":           func(b []byte) []byte { clear(b[offSegment:][:8]); return mend(b) },
		"negative segment":     func(b []byte) []byte { b[offSegment+7] = 0x80; return mend(b) },
		"segment of 2^62 byte": func(b []byte) []byte { b[offSegment+7] = 0x40; return mend(b) },
	}
	for name, change := range cases {
		if h, err := Decode(change(testHeader.Encode())); err == nil {
			t.Errorf("%s: accepted as %+v", name, h)
		}
	}
	b := testHeader.Encode()
	for i := range 8 * HeaderBytes {
		b[i/8] ^= 1 << (i % 8)
		if _, err := Decode(b); err == nil {
			t.Errorf("bit %d of byte %d flipped: accepted", i%8, i/8)
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

// mend makes the checksum right.
func mend(b []byte) []byte {
	binary.LittleEndian.PutUint64(b[offSum:], xxhash.Sum64(b[:offSum]))
	return b
}

// FuzzIndexHeader decodes arbitrary headers. What is accepted describes a table
// of bounded size.
func FuzzIndexHeader(f *testing.F) {
	golden := formattest.Load(f, "three.idx")
	f.Add(golden[:HeaderBytes], false)
	f.Add(golden[:HeaderBytes], true)
	f.Fuzz(func(t *testing.T, in []byte, mended bool) {
		if mended && len(in) >= HeaderBytes {
			if in = mend(in); len(in) > offShift {
				// A stretch that fits the size, or else hardly any input passes.
				size := int64(binary.LittleEndian.Uint64(in[offSegment:]))
				binary.LittleEndian.PutUint32(in[offShift:], uint32(Shift(size)))
				mend(in)
			}
		}
		h, err := Decode(in)
		if err != nil {
			return
		}
		if n := Entries(h.SegmentBytes); n < 1 || n > maxEntries || FileBytes(h.SegmentBytes) > HeaderBytes+EntryBytes*maxEntries {
			t.Fatalf("%+v has %d entries", h, n)
		}
		NewMemoryTable(h.SegmentBytes)
	})
}

// FuzzIndexTable looks into arbitrary tables. Whatever they say, entries point
// at multiples of 8 in a range that fits the words that carry them.
func FuzzIndexTable(f *testing.F) {
	f.Add(formattest.Load(f, "three.idx")[HeaderBytes:], int64(3))
	f.Fuzz(func(t *testing.T, in []byte, below int64) {
		b := make([]byte, FileBytes(testSegment)-HeaderBytes)
		copy(b, in)
		table := load(b, testSegment)
		if string(table.AppendTo(nil)) != string(b) {
			t.Fatal("the table does not write back to the same bytes")
		}
		if e, ok := table.Last(func(e Entry) bool { return e.Count < below }); ok {
			if e.Position < 0 || e.Position >= maxSegmentBytes || e.Position%positionUnit != 0 || e.Count < 0 || e.Count >= below {
				t.Fatalf("entry out of bounds: %+v", e)
			}
			table.Note(e)
		}
	})
}

// Several producers, and the keeper of each, may note a batch of the same stretch
// at once. What is stored is one of them, and not the time of one with the place
// of another.
func TestNoteIsWhole(t *testing.T) {
	for range 2000 {
		table := NewMemoryTable(1 << 20)
		var wait sync.WaitGroup
		for n := int64(1); n <= 4; n++ {
			wait.Add(1)
			go func() {
				defer wait.Done()
				table.Note(Entry{Position: 4096 + 8*n, Count: n, Time: n})
			}()
		}
		wait.Wait()
		if e, ok := table.Last(func(Entry) bool { return true }); !ok || e.Position != 4096+8*e.Count || e.Time != e.Count {
			t.Fatalf("stored %+v, %t", e, ok)
		}
	}
}
