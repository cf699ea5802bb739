package damage

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

const (
	segmentBytes = 64 << 10
	groupName    = "readers"
)

// A template is a log that is whole, and what was appended to it.
type template struct {
	files   map[string][]byte // by their paths in the log's directory
	names   []string          // of the files, sorted
	records []mlog.Record     // by their offsets
	batches []batch
	end     int64 // offset behind the last record
	durable int64 // offset behind the last durable one
}

// A batch is where some records stand.
type batch struct {
	file     string
	from, to int64 // bytes of the file, with padding
	base     int64
	count    int
}

// newTemplate makes a log of sealed segments and one in use, whose last batches
// are visible and not durable.
func newTemplate(t testing.TB, dir string, seed uint64) *template {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: segmentBytes, FlushEvery: -1, Retention: mlog.Retention{Bytes: 1 << 30}})
	if err != nil {
		t.Fatal(err)
	}
	m := &template{files: make(map[string][]byte)}
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for count(t, dir, "*.seg") < 4 {
		m.append(t, w, rng)
	}
	for range 25 {
		m.append(t, w, rng)
	}
	if err := w.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.durable = m.end
	for range 15 {
		m.append(t, w, rng)
	}
	commit(t, l)
	for deadline := time.Now().Add(10 * time.Second); count(t, dir, "*.idx") < 4 || count(t, dir, "spare") < 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no index of each segment, or no spare, after ten seconds")
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	m.load(t, dir)
	return m
}

func count(t testing.TB, dir, pattern string) int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return len(paths)
}

// append appends one batch, of records of all kinds.
func (m *template) append(t testing.TB, w *mlog.Writer, rng *rand.Rand) {
	t.Helper()
	records := make([]mlog.Record, 1)
	if rng.IntN(3) == 0 {
		records = make([]mlog.Record, 2+rng.IntN(7))
	}
	for i := range records {
		records[i] = newRecord(rng, m.end+int64(i))
	}
	base, err := w.AppendBatch(context.Background(), records)
	if err != nil || base != m.end {
		t.Fatalf("append: offset %d, %v; want %d", base, err, m.end)
	}
	m.records = append(m.records, records...)
	m.end += int64(len(records))
}

func newRecord(rng *rand.Rand, offset int64) mlog.Record {
	r := mlog.Record{Value: make([]byte, rng.IntN(900))} // of zeros, which look like no batch
	switch rng.IntN(4) {
	case 0:
		for i := range r.Value {
			r.Value[i] = byte(rng.Uint32())
		}
	case 1: // what looks like one: lengths, counts, and the offset to come
		for i := 0; i+32 <= len(r.Value); i += 32 {
			binary.LittleEndian.PutUint32(r.Value[i:], uint32(32+8*rng.IntN(9)))
			binary.LittleEndian.PutUint32(r.Value[i+4:], uint32(1+rng.IntN(3))<<8)
			binary.LittleEndian.PutUint64(r.Value[i+8:], uint64(offset)+uint64(rng.IntN(3)))
			binary.LittleEndian.PutUint64(r.Value[i+16:], uint64(time.Now().UnixNano()))
		}
	}
	if rng.IntN(2) == 0 {
		r.Key = fmt.Appendf(nil, "key %d", offset)
	}
	for range rng.IntN(3) {
		r.Headers = append(r.Headers, mlog.Header{Key: "name", Value: fmt.Appendf(nil, "%d", rng.Uint32())})
	}
	return r
}

func commit(t testing.TB, l *mlog.Log) {
	t.Helper()
	g, err := l.Group(groupName)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if ok, err := g.TryJoin(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for _, offset := range []int64{10, 20, 30} {
		if err := g.Commit(offset); err != nil {
			t.Fatal(err)
		}
	}
}

// load reads the files of the log, and by package check what it does not know of
// them: where the batches stand and when they were appended.
func (m *template) load(t testing.TB, dir string) {
	t.Helper()
	parsed, err := check.Read(dir, check.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if parsed.End != m.end || parsed.Durable != m.durable || int64(len(parsed.Records)) != m.end {
		t.Fatalf("the log ends at %d, durable %d; want %d, %d", parsed.End, parsed.Durable, m.end, m.durable)
	}
	for i := range m.records {
		m.records[i].Offset = int64(i)
		m.records[i].Time = time.Unix(0, parsed.Records[i].Time)
	}
	for _, s := range parsed.Segments {
		for _, b := range s.Batches {
			m.batches = append(m.batches, batch{file: s.Name(), from: b.Position, to: (b.Position + b.Bytes + 7) &^ 7, base: b.Offset, count: b.Count})
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		m.files[name], err = os.ReadFile(path)
		m.names = append(m.names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(m.names)
}

// isSame reports whether a record is the one that was appended at its offset.
func (m *template) isSame(r *mlog.Record) bool {
	if r.Offset < 0 || r.Offset >= m.end {
		return false
	}
	want := &m.records[r.Offset]
	return r.Time.Equal(want.Time) && bytes.Equal(r.Value, want.Value) && bytes.Equal(r.Key, want.Key) &&
		(r.Key == nil) == (want.Key == nil) &&
		slices.EqualFunc(r.Headers, want.Headers, func(a, b mlog.Header) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) })
}

// segments returns the names of the segments in their order.
func (m *template) segments() []string {
	var names []string
	for _, name := range m.names {
		if strings.HasSuffix(name, ".seg") {
			names = append(names, name)
		}
	}
	return names
}

// activeBase returns the base offset of the segment in use.
func (m *template) activeBase() int64 {
	segments := m.segments()
	for _, b := range m.batches {
		if b.file == segments[len(segments)-1] {
			return b.base
		}
	}
	return m.end
}

// kindOf names the kind of a file.
func (m *template) kindOf(name string) string {
	segments := m.segments()
	switch {
	case name == segments[len(segments)-1]:
		return "active segment"
	case strings.HasSuffix(name, ".seg"):
		return "sealed segment"
	case strings.HasSuffix(name, ".idx"):
		return "index"
	case name == "groups/"+groupName:
		return "group"
	case strings.HasPrefix(name, "groups/"), strings.HasPrefix(name, "producers/"):
		return "lock file"
	}
	return name // meta, retention, control, wake, spare
}
