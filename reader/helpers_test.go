package reader_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

const smallest = 64 << 10 // bytes of the smallest segment

// newLog creates a log with the smallest segments and returns a producer of it.
func newLog(t testing.TB) (layout.Dir, *writer.Writer) {
	t.Helper()
	dir := layout.Dir(filepath.Join(t.TempDir(), "log"))
	if _, err := dir.Create(context.Background(), layout.Settings{SegmentBytes: smallest, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	return dir, openWriter(t, dir)
}

func openWriter(t testing.TB, dir layout.Dir) *writer.Writer {
	t.Helper()
	w, err := writer.Open(context.Background(), dir, readMeta(t, dir), writer.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func readMeta(t testing.TB, dir layout.Dir) layout.Meta {
	t.Helper()
	meta, err := dir.ReadMeta()
	if err != nil {
		t.Fatal(err)
	}
	return meta
}

func openSource(t testing.TB, dir layout.Dir) *reader.Source {
	t.Helper()
	src, err := reader.NewSource(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func newReader(t testing.TB, src *reader.Source, opts reader.Options) *reader.Reader {
	t.Helper()
	r, err := reader.NewReader(src, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// following reads from an offset on, without an end.
func following(from int64) reader.Options {
	return reader.Options{From: from, Until: reader.Unbounded}
}

func appendTexts(t testing.TB, w *writer.Writer, texts ...string) int64 {
	t.Helper()
	records := make([]segment.Record, len(texts))
	for i, text := range texts {
		records[i].Value = []byte(text)
	}
	base, err := w.Append(context.Background(), records)
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// numbered appends n records with the values "0 …", "1 …" and so on, each some
// two hundred bytes long.
func numbered(t testing.TB, w *writer.Writer, n int) {
	t.Helper()
	for i := range n {
		appendTexts(t, w, numberedText(i))
	}
}

func numberedText(i int) string { return fmt.Sprintf("%d %s", i, strings.Repeat(".", 200)) }

// wantNext checks that the reader's next record is there and is this one.
func wantNext(t testing.TB, r *reader.Reader, offset int64, text string) {
	t.Helper()
	var rec segment.Record
	ok, err := r.TryNext(&rec)
	if !ok || err != nil {
		t.Fatalf("offset %d: no record, error %v", offset, err)
	}
	if rec.Offset != offset || string(rec.Value) != text {
		t.Fatalf("read offset %d with %.20q, want offset %d with %.20q", rec.Offset, rec.Value, offset, text)
	}
}

func wantNothing(t testing.TB, r *reader.Reader) {
	t.Helper()
	var rec segment.Record
	if ok, err := r.TryNext(&rec); ok || err != nil {
		t.Fatalf("read %v %.20q, error %v; want nothing", ok, rec.Value, err)
	}
}

func bases(t *testing.T, dir layout.Dir) []int64 {
	t.Helper()
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	return bases
}
