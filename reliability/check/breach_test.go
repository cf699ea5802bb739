package check_test

import (
	"os"
	"path/filepath"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// set returns an edit that writes these bytes at a position.
func set(at int64, bytes ...byte) func(*check.Log, []byte) []byte {
	return func(_ *check.Log, b []byte) []byte { copy(b[at:], bytes); return b }
}

// A place says which file of a log is meant: "first", "second" and "last" are
// segments, anything else is a name.
func place(l *check.Log, name string) string {
	switch n := len(l.Segments); name {
	case "first":
		return l.Segments[0].Name()
	case "second":
		return l.Segments[1].Name()
	case "last but one":
		return l.Segments[n-2].Name()
	case "last":
		return l.Segments[n-1].Name()
	}
	return name
}

// Each row breaks one file of a good log, in one way that an engine with a bug
// might.
var breaches = []struct {
	name, file, reason string
	change             func(l *check.Log, b []byte) []byte
}{
	{"a batch doubled", "last", "base offset", func(l *check.Log, b []byte) []byte {
		s := l.Segments[len(l.Segments)-1]
		last := s.Batches[len(s.Batches)-1]
		copy(b[s.End:], b[last.Position:s.End]) // its checksum is of another place
		rehash(b, s, s.End)
		return b
	}},
	{"a batch copied without its new checksum", "last", "checksum", func(l *check.Log, b []byte) []byte {
		s := l.Segments[len(l.Segments)-1]
		copy(b[s.End:], b[s.Batches[len(s.Batches)-1].Position:s.End])
		return b
	}},
	{"the commit word behind the end is not zero", "last", "neither a batch nor zero", func(l *check.Log, b []byte) []byte {
		b[l.Segments[len(l.Segments)-1].End] = 1
		return b
	}},
	{"a batch taken away", "second", "base offset", func(l *check.Log, b []byte) []byte {
		s := l.Segments[1]
		copy(b[s.Batches[0].Position:], b[s.Batches[1].Position:s.Batches[2].Position])
		rehash(b, s, s.Batches[0].Position)
		return b
	}},
	{"time runs back", "second", "time runs back", func(l *check.Log, b []byte) []byte {
		s := l.Segments[1]
		at := s.Batches[3].Position
		copy(b[at+16:], le64(s.Batches[2].Time-1))
		rehash(b, s, at)
		return b
	}},
	{"a body that does not decode", "second", "does not decode", func(l *check.Log, b []byte) []byte {
		s := l.Segments[1]
		for _, batch := range s.Batches {
			if batch.Count == 2 {
				b[batch.Position+32] = 0xff
				b[batch.Position+33] = 0x7f
				rehash(b, s, batch.Position)
				return b
			}
		}
		panic("no batch of two records")
	}},
	{"an end marker that names another segment", "first", "base offset", func(l *check.Log, b []byte) []byte {
		s := l.Segments[0]
		copy(b[s.End+8:], le64(s.EndAt+1))
		rehash(b, s, s.End)
		return b
	}},
	{"an end marker taken away", "first", "no end marker at rest", func(l *check.Log, b []byte) []byte {
		copy(b[l.Segments[0].End:], make([]byte, 32))
		copy(b[264:], le64(0))
		return b
	}},
	{"an end marker in the last segment", "last", "names segment", func(l *check.Log, b []byte) []byte {
		s := l.Segments[len(l.Segments)-1]
		marker := append([]byte{32, 0, 0, 0, 0x80, 0, 0, 0}, le64(s.EndAt)...)
		copy(b[s.End:], append(marker, le64(s.LastTime)...))
		rehash(b, s, s.End)
		return b
	}},
	{"a tail that lags at rest", "last", "at rest", func(l *check.Log, b []byte) []byte {
		s := l.Segments[len(l.Segments)-1]
		copy(b[128:], cursor(s.Batches[1].Position, s.Batches[1].Offset-s.Base))
		return b
	}},
	{"a tail ahead of the batches", "last", "tail", func(l *check.Log, b []byte) []byte {
		s := l.Segments[len(l.Segments)-1]
		copy(b[128:], cursor(s.End+64, s.EndAt-s.Base+1))
		return b
	}},
	{"a tail with another count", "first", "tail", func(l *check.Log, b []byte) []byte {
		s := l.Segments[0]
		copy(b[128:], cursor(s.End, s.EndAt-s.Base+1))
		return b
	}},
	{"a durable mark ahead of the batches", "last", "durable mark", func(l *check.Log, b []byte) []byte {
		s := l.Segments[len(l.Segments)-1]
		copy(b[256:], cursor(s.End+64, s.EndAt-s.Base+1))
		return b
	}},
	{"a durable mark within a batch", "first", "durable mark", func(l *check.Log, b []byte) []byte {
		s := l.Segments[0]
		copy(b[256:], cursor(s.Batches[1].Position+8, 1))
		return b
	}},
	{"a last time older than a batch", "last", "last time", set(136, le64(1)...)},
	{"a successor that is not next", "first", "successor", func(l *check.Log, b []byte) []byte {
		copy(b[264:], le64(l.Segments[0].EndAt+1))
		return b
	}},
	{"an unused byte of a header", "first", "unused", set(300, 1)},
	{"a copy of a header that differs", "first", "copy", set(2048+40, 1, 2, 3)},
	{"no copy of a header", "first", "no copy", set(2048, make([]byte, 80)...)},
	{"lost records that meta knows nothing of", "second", "lost records", func(l *check.Log, b []byte) []byte {
		at := l.Segments[1].Batches[2].Position
		b[at+4] = 0x40
		rehash(b, l.Segments[1], at)
		return b
	}},
	{"a floor above a record", "second", "time runs back", func(l *check.Log, b []byte) []byte {
		copy(b[56:], le64(l.Segments[1].Batches[0].Time+1))
		copy(b[72:], le64(int64(check.Hash(b[:72]))))
		copy(b[2048:], b[:80])
		return b
	}},
	{"a segment of another log", "second", "id of another log", set(16, 1, 2, 3)},
	{"a segment that is too short", "last", "bytes", func(_ *check.Log, b []byte) []byte { return b[:len(b)-4096] }},
	{"active names an older segment", "control", "active", set(192, le64(0)...)},
	{"active names a segment that is not there", "control", "active", set(192, le64(1<<40)...)},
	{"durable behind the end", "control", "durable", set(320, le64(1<<40)...)},
	{"control of another magic", "control", "magic", set(0, 'M')},
	{"control with a forged boot id", "control", "checksum", set(16, 1, 2, 3)},
	{"control with a forged checksum", "control", "checksum", set(64, 1, 2, 3)},
	{"control cut short", "control", "bytes", func(_ *check.Log, b []byte) []byte { return b[:64] }},
	{"control too long", "control", "bytes", func(_ *check.Log, b []byte) []byte { return append(b, 0) }},
	{"two segments of one epoch", "second", "has the epoch of", func(l *check.Log, b []byte) []byte {
		s := l.Segments[1]
		s.Epoch = l.Segments[0].Epoch
		copy(b[40:], le64(int64(s.Epoch)))
		copy(b[72:], le64(int64(check.Hash(b[:72]))))
		copy(b[2048:], b[:80])
		for _, batch := range s.Batches {
			rehash(b, s, batch.Position)
		}
		rehash(b, s, s.End)
		return b
	}},
	{"a lock of slot 5000", "control", "lock word", set(128, 0x88, 0x13)},
	{"an unused word of control", "control", "unused", set(1000, 1)},
	{"a commit with a forged checksum", "groups/crew", "sequence", set(88, 2)},
	{"a group of another log", "groups/crew", "id of another log", set(16, 0xff)},
	{"retention of another length", "retention", "bytes", func(_ *check.Log, b []byte) []byte { return b[:63] }},
	{"meta with a flipped bit", "meta", "checksum", set(80, 1)},
	{"wake cut short", "wake", "bytes", func(_ *check.Log, b []byte) []byte { return b[:100] }},
	{"an index entry that points nowhere", "00000000000000000000.idx", "no batch", func(l *check.Log, b []byte) []byte {
		copy(b[64+16+8:], cursor(l.Segments[0].Batches[0].Position+8, 1))
		return b
	}},
	{"an index entry with a forged time", "00000000000000000000.idx", "has time", set(64+16, le64(7)...)},
	{"an index of another epoch", "00000000000000000000.idx", "epoch", set(24, 1, 2, 3)},
}

func TestBreaches(t *testing.T) {
	dir := newLog(t)
	good := read(t, dir)
	for _, b := range breaches {
		t.Run(b.name, func(t *testing.T) {
			file := place(good, b.file)
			path := filepath.Join(dir, file)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			edit(t, path, func(data []byte) []byte { return b.change(good, data) })
			wantBreach(t, dir, file, b.reason)
			edit(t, path, func([]byte) []byte { return before })
			read(t, dir)
		})
	}
}

// Every single bit of the batches counts: a flipped one is a breach, whichever it is.
func TestEveryFlippedBitOfABatch(t *testing.T) {
	dir := newLogOf(t, []mlog.Record{{Value: []byte("one")}},
		[]mlog.Record{{Key: []byte("k"), Value: nil}, {Value: []byte("x"), Headers: []mlog.Header{{Key: "h"}}}})
	s := read(t, dir).Segments[0]
	path := filepath.Join(dir, s.Name())
	for _, b := range s.Batches {
		for bit := range b.Bytes * 8 {
			at := b.Position + bit/8
			edit(t, path, func(data []byte) []byte { data[at] ^= 1 << (bit % 8); return data })
			if _, err := check.Read(dir, check.Options{}); err == nil {
				t.Fatalf("bit %d of byte %d flipped, and nothing found", bit%8, at)
			}
			edit(t, path, func(data []byte) []byte { data[at] ^= 1 << (bit % 8); return data })
		}
	}
	read(t, dir)
}

func TestMissingFiles(t *testing.T) {
	for _, row := range []struct{ file, blamed, reason string }{
		{"second", "first", "is missing"},
		{"last", "last but one", "is missing"},
		{"meta", "meta", "no log"},
		{"wake", "wake", "is missing"},
	} {
		t.Run(row.file, func(t *testing.T) {
			dir := newLog(t)
			good := read(t, dir)
			if err := os.Remove(filepath.Join(dir, place(good, row.file))); err != nil {
				t.Fatal(err)
			}
			wantBreach(t, dir, place(good, row.blamed), row.reason)
		})
	}
}
