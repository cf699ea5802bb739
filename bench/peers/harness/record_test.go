package harness

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func record(m *maker, producer int, seq uint64, last bool) []byte {
	rec := make([]byte, m.size)
	m.put(rec, producer, seq, 0, last)
	return rec
}

func TestRecordLayout(t *testing.T) {
	m := newMaker(256, true)
	rec := make([]byte, 256)
	m.put(rec, 3, 77, 123456789, false)
	if got := binary.LittleEndian.Uint64(rec); got != xxhash.Sum64(rec[8:]) {
		t.Errorf("hash %x is not that of the rest", got)
	}
	if got, want := binary.LittleEndian.Uint64(rec[8:]), uint64(3)<<48|77; got != want {
		t.Errorf("producer and sequence %x, want %x", got, want)
	}
	if got := binary.LittleEndian.Uint64(rec[16:]); got != 123456789 {
		t.Errorf("time due %d", got)
	}
	m.put(rec, 3, 78, 5, true)
	if got := binary.LittleEndian.Uint64(rec[16:]); got != 1<<63|5 {
		t.Errorf("time due of the last record %x, want the top bit and 5", got)
	}
	if plain := record(newMaker(256, false), 0, 0, false); binary.LittleEndian.Uint64(plain) != 0 {
		t.Error("a record that nobody is to check has a hash")
	}
}

func TestFillerDiffers(t *testing.T) {
	m := newMaker(64, false)
	seen := map[string]uint64{}
	for seq := range uint64(1000) {
		filler := string(record(m, 0, seq, false)[HeaderBytes:])
		if before, ok := seen[filler]; ok {
			t.Fatalf("records %d and %d have the same filler", before, seq)
		}
		seen[filler] = seq
	}
}

func TestCheckerTakesWhatIsRight(t *testing.T) {
	for _, size := range []int{HeaderBytes, 64, 256, 1024, 16384, 70000} {
		m, c := newMaker(size, true), newChecker(size, 2, true)
		for seq := range uint64(100) {
			for p := range 2 {
				if _, err := c.take(record(m, p, seq, seq == 99)); err != nil {
					t.Fatalf("size %d: %v", size, err)
				}
			}
		}
		if c.count != 200 || c.waiting != 0 {
			t.Errorf("size %d: %d records taken, %d producers to end; want 200 and 0", size, c.count, c.waiting)
		}
	}
}

func TestCheckerFindsWhatIsWrong(t *testing.T) {
	m := newMaker(64, true)
	good := func(seq uint64) []byte { return record(m, 0, seq, false) }
	last := func(seq uint64) []byte { return record(m, 0, seq, true) }
	for _, test := range []struct {
		name    string
		records [][]byte // only the last of them is wrong
		want    string
	}{
		{"loss", [][]byte{good(0), good(2)}, "records 1 to 1 are lost"},
		{"loss of the first", [][]byte{good(1)}, "records 0 to 0 are lost"},
		{"duplicate", [][]byte{good(0), good(1), good(1)}, "record 1 again"},
		{"reorder", [][]byte{good(0), good(2)}, "out of order"},
		{"an old one", [][]byte{good(0), good(1), good(0)}, "record 0 again or out of order"},
		{"after the last", [][]byte{good(0), last(1), good(2)}, "after the last one, 1"},
		{"the last again", [][]byte{good(0), last(1), last(1)}, "after the last one, 1"},
		{"another producer", [][]byte{record(m, 1, 0, false)}, "there is no producer 1"},
		{"too short", [][]byte{good(0)[:63]}, "63 bytes instead of 64"},
		{"too long", [][]byte{append(good(0), 0)}, "65 bytes instead of 64"},
		{"empty", [][]byte{{}}, "0 bytes instead of 64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newChecker(64, 1, true)
			for i, rec := range test.records {
				_, err := c.take(rec)
				if i < len(test.records)-1 {
					if err != nil {
						t.Fatal(err)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want one with %q", err, test.want)
				}
			}
		})
	}
}

func TestCheckerFindsEveryChangedByte(t *testing.T) {
	good := record(newMaker(64, true), 0, 0, false)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, err := newChecker(64, 1, true).take(bad); err == nil || !strings.Contains(err.Error(), "corrupt") {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

func TestRecordsCostNoAllocation(t *testing.T) {
	m, c := newMaker(256, true), newChecker(256, 1, true)
	rec, seq := make([]byte, 256), uint64(0)
	n := testing.AllocsPerRun(1000, func() {
		m.put(rec, 0, seq, 0, false)
		if _, err := c.take(rec); err != nil {
			t.Fatal(err)
		}
		seq++
	})
	if n != 0 {
		t.Errorf("%g allocations for a record", n)
	}
}
