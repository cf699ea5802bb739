package log_test

import (
	"context"
	"fmt"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
)

func TestAppendAndReadBackAcrossSegments(t *testing.T) {
	ctx := context.Background()
	l, err := mlog.Open(t.TempDir(), mlog.Options{SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 10_000
	for i := range n {
		off, err := w.Append(ctx, mlog.Record{Key: []byte("k"), Value: fmt.Appendf(nil, "value %d", i), Headers: []mlog.Header{{Key: "h", Value: []byte("x")}}})
		if err != nil || off != int64(i) {
			t.Fatal(i, off, err)
		}
	}
	r, err := l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	i := 0
	for rec, err := range r.Records(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("value %d", i); string(rec.Value) != want || rec.Offset != int64(i) || string(rec.Key) != "k" || len(rec.Headers) != 1 {
			t.Fatalf("record %d: %+v", i, rec)
		}
		i++
	}
	if i != n {
		t.Fatalf("read %d of %d records", i, n)
	}
	info, err := l.Info()
	t.Logf("%+v %v", info, err)
}

func BenchmarkAppend(b *testing.B) {
	l, _ := mlog.Open(b.TempDir(), mlog.Options{Retention: mlog.Retention{Bytes: 512 << 20}})
	defer l.Close()
	w, _ := l.Writer(mlog.WriterOptions{})
	v := make([]byte, 256)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Append(ctx, mlog.Record{Value: v}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	l, _ := mlog.Open(b.TempDir(), mlog.Options{})
	defer l.Close()
	w, _ := l.Writer(mlog.WriterOptions{})
	v := make([]byte, 256)
	ctx := context.Background()
	for range 1_000_000 {
		w.Append(ctx, mlog.Record{Value: v})
	}
	r, _ := l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Next(ctx); err != nil {
			r.Seek(mlog.Start())
		}
	}
}
