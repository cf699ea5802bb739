package survey_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

var quiet = slog.New(slog.DiscardHandler)

// Words that say how far something is are found out by the batches, in the last
// segment and in full ones; and what the header does not use is zero.
func TestMarks(t *testing.T) {
	tests := map[string]struct {
		at   int64
		flip byte
		kind survey.Kind
	}{
		"the tail's count":         {132, 1, survey.Marks},
		"an implausible tail":      {135, 0x80, survey.Marks},
		"the durable mark's count": {260, 1, survey.Marks},
		"the successor":            {264, 1, survey.Marks},
		"a byte without a meaning": {100, 1, survey.Copy},
		"the copy":                 {2048 + 40, 1, survey.Copy},
	}
	for name, test := range tests {
		for _, last := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				dir, w := newLog(t)
				w.Close()
				bases, err := dir.Segments()
				if err != nil {
					t.Fatal(err)
				}
				base := bases[1]
				if last {
					base = bases[len(bases)-1]
				}
				flip(t, dir.Segment(base), test.at, test.flip)
				if d := run(t, dir).Damage; len(d) != 1 || d[0].Kind != test.kind || d[0].Base != base {
					t.Fatalf("found %+v, want one of kind %d in segment %d", d, test.kind, base)
				}
				mend(t, dir)
				if r := run(t, dir); len(r.Damage) != 0 || r.Records != records {
					t.Errorf("after repair: %+v", r)
				}
			})
		}
	}
}

// A lock that names a producer which there never was holds up everybody.
func TestLockOfNobody(t *testing.T) {
	dir, w := newLog(t)
	w.Close()
	flip(t, dir.Control(), 128, 8)
	d := run(t, dir).Damage
	if len(d) != 1 || d[0].Kind != survey.Derived || d[0].What.Segment != "control" {
		t.Fatalf("found %+v", d)
	}
	mend(t, dir)
	w, err := writer.Open(context.Background(), dir, readMeta(t, dir), writer.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if base, err := w.Append(context.Background(), []segment.Record{{Value: []byte("next")}}); base != records || err != nil {
		t.Errorf("offset %d, %v", base, err)
	}
}

// What the segments tell of a damaged meta file includes the permissions of its
// files.
func TestMetaFromSegments(t *testing.T) {
	dir, w := newLog(t)
	w.Close()
	want := readMeta(t, dir)
	flip(t, dir.Meta(), 50, 1)
	got, err := survey.Meta(dir)
	if err != nil || got.LogID != want.LogID || got.SegmentBytes != want.SegmentBytes || got.Mode != want.Mode || got.Compat != want.Compat {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func flip(t *testing.T, path string, at int64, bits byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= bits
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

func mend(t *testing.T, dir layout.Dir) {
	t.Helper()
	if m, err := writer.Mend(context.Background(), dir, writer.Options{Logger: quiet}, true); err != nil || !m.Done {
		t.Fatalf("%+v, %v", m, err)
	}
}

func readMeta(t *testing.T, dir layout.Dir) layout.Meta {
	t.Helper()
	m, err := dir.ReadMeta()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
