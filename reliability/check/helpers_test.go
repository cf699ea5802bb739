package check_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

const segmentBytes = 64 << 10

// newLog makes a log of several segments with records of all shapes, a group
// and an index, and closes it.
func newLog(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir)
	defer closing(t, l)
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if _, err := w.AppendBatch(context.Background(), shapes(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := w.AppendBatch(context.Background(), shapes(i)); err != nil {
			t.Fatal(err)
		}
	}
	g, err := l.Group("crew")
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, g)
	if err := g.Join(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{3, 7} {
		if err := g.Commit(offset); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newLogOf makes a log of these batches.
func newLogOf(t testing.TB, batches ...[]mlog.Record) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir)
	defer closing(t, l)
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, records := range batches {
		if _, err := w.AppendBatch(context.Background(), records); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t testing.TB, dir string) *mlog.Log {
	t.Helper()
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: segmentBytes, FlushEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closing(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// shapes are the batches that a test appends: of one and of several records,
// with and without keys and headers, long and empty.
func shapes(i int) []mlog.Record {
	value := []byte(fmt.Sprintf("record %d %s", i, strings.Repeat("x", i*37)))
	switch i % 4 {
	case 0:
		return []mlog.Record{{Value: value}}
	case 1:
		return []mlog.Record{{Key: []byte("k"), Value: value}, {Value: nil}, {Key: []byte{}, Value: value}}
	case 2:
		return []mlog.Record{{Value: value, Headers: []mlog.Header{{Key: "a", Value: value}, {Key: "a"}}}}
	}
	return []mlog.Record{
		{Value: value, Key: []byte(strings.Repeat("key", 100))},
		{Value: []byte(strings.Repeat("y", 3000)), Headers: []mlog.Header{{}}},
	}
}

// read wants the log to be as the page says.
func read(t testing.TB, dir string) *check.Log {
	t.Helper()
	l, err := check.Read(dir, check.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Notes) > 0 {
		t.Errorf("notes: %q", l.Notes)
	}
	return l
}

// wantBreach wants a breach of the log that names the file and whose reason has
// this text.
func wantBreach(t testing.TB, dir, file, reason string) {
	t.Helper()
	_, err := check.Read(dir, check.Options{})
	var b *check.Breach
	if !errors.As(err, &b) {
		t.Fatalf("no breach found: %v", err)
	}
	if b.File != file || !strings.Contains(err.Error(), reason) {
		t.Errorf("breach %v, want one of %s that says %q", err, file, reason)
	}
}

// edit changes the bytes of a file in place, as the control file's inode counts,
// and without emptying it first, as some filesystems write to the disk then.
func edit(t testing.TB, path string, change func(b []byte) []byte) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, f)
	after := change(before)
	if _, err := f.WriteAt(after, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(len(after))); err != nil {
		t.Fatal(err)
	}
}

func le64(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

// rehash mends the checksum of a batch that was changed.
func rehash(b []byte, s check.Segment, position int64) { check.Rehash(b, s.Epoch, position) }

// cursor is the word of a place between two batches.
func cursor(position, count int64) []byte { return le64(count<<28 | position/8) }
