package check_test

import (
	"bytes"
	"context"
	"testing"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// What the engine's reader hands out is what the checker finds.
func TestReadAgreesWithReader(t *testing.T) {
	dir := newLog(t)
	found := read(t, dir)
	if len(found.Segments) < 3 {
		t.Fatalf("only %d segments, so this tests little", len(found.Segments))
	}
	l := open(t, dir)
	defer closing(t, l)
	r, err := l.Reader(mlog.ReaderOptions{Until: mlog.End()})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, r)
	n := 0
	for rec, err := range r.Records(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if n == len(found.Records) {
			t.Fatalf("only %d records found", n)
		}
		compare(t, found.Records[n], rec)
		n++
	}
	if n != len(found.Records) {
		t.Errorf("%d records found, the reader has %d", len(found.Records), n)
	}
	if found.Durable >= found.End || found.Durable <= found.Start {
		t.Errorf("durable %d of %d to %d, though some records were synced and some not", found.Durable, found.Start, found.End)
	}
	if g := found.Groups["crew"]; g.Committed != 7 || g.Sequence != 2 {
		t.Errorf("group %+v", g)
	}
	if found.Control == nil || found.Active != found.Segments[len(found.Segments)-1].Base {
		t.Errorf("active %d, control %+v", found.Active, found.Control)
	}
}

func compare(t *testing.T, got check.Record, want mlog.Record) {
	t.Helper()
	same := got.Offset == want.Offset && got.Time == want.Time.UnixNano() && bytes.Equal(got.Value, want.Value) &&
		bytes.Equal(got.Key, want.Key) && (got.Key == nil) == (want.Key == nil) && len(got.Headers) == len(want.Headers)
	for i := 0; same && i < len(want.Headers); i++ {
		same = string(got.Headers[i].Name) == want.Headers[i].Key && bytes.Equal(got.Headers[i].Value, want.Headers[i].Value)
	}
	if !same {
		t.Errorf("offset %d: found %+v, the reader has %+v", want.Offset, got, want)
	}
}
