package survey_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/group"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

const records = 700 // in three segments of the smallest size, and a bit

// newLog makes a log of records, one a batch, all of it durable, and returns it
// with its producer.
func newLog(t *testing.T) (layout.Dir, *writer.Writer) {
	t.Helper()
	dir := layout.Dir(filepath.Join(t.TempDir(), "log"))
	meta, err := dir.Create(context.Background(), layout.Settings{SegmentBytes: segment.MinBytes, Mode: 0o600})
	if err != nil {
		t.Fatal(err)
	}
	w, err := writer.Open(context.Background(), dir, meta, writer.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	for i := range records {
		if _, err := w.Append(context.Background(), []segment.Record{{Value: fmt.Appendf(nil, "%d %s", i, strings.Repeat(".", 200))}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	g, err := group.Open(dir, "readers", &meta)
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
	return dir, w
}

func run(t *testing.T, dir layout.Dir) *survey.Report {
	t.Helper()
	r, err := survey.Run(context.Background(), dir, survey.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSoundLog(t *testing.T) {
	dir, _ := newLog(t)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, dir)
	if r.Records != records || r.Batches != records || r.Segments != len(bases) || r.End != records || len(r.Damage)+len(r.Lost) != 0 || r.Torn != nil {
		t.Errorf("a sound log gives %+v", r)
	}
}

// Each kind of damage is found, once, with the offsets that it costs.
func TestDamage(t *testing.T) {
	type want struct {
		kind        survey.Kind
		first, last int64
		records     int64
	}
	overwrite := func(t *testing.T, dir layout.Dir, i int, position int64, data string) (base int64) {
		bases, err := dir.Segments()
		if err != nil {
			t.Fatal(err)
		}
		logtest.Overwrite(t, dir, bases[i], position, []byte(data))
		return bases[i]
	}
	frames := func(t *testing.T, dir layout.Dir, i int) (bases []int64, batches []segment.Frame, end segment.Cursor) {
		bases, err := dir.Segments()
		if err != nil {
			t.Fatal(err)
		}
		batches, end = logtest.Batches(t, dir, bases[i])
		return bases, batches, end
	}
	write := func(t *testing.T, path string) {
		if err := os.WriteFile(path, []byte("not what belongs here"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]func(t *testing.T, dir layout.Dir) want{
		"a value in the middle": func(t *testing.T, dir layout.Dir) want {
			_, batches, _ := frames(t, dir, 1)
			overwrite(t, dir, 1, batches[10].Position+50, "X")
			return want{survey.Bytes, batches[10].Base, batches[10].Base, records - 1}
		},
		"a commit word wiped out": func(t *testing.T, dir layout.Dir) want {
			_, batches, _ := frames(t, dir, 1)
			overwrite(t, dir, 1, batches[10].Position, "\x00\x00\x00\x00")
			return want{survey.Bytes, batches[10].Base, batches[10].Base, records - 1}
		},
		"the last batch wiped out": func(t *testing.T, dir layout.Dir) want {
			bases, _, _ := frames(t, dir, 0)
			_, batches, _ := frames(t, dir, len(bases)-1)
			overwrite(t, dir, len(bases)-1, batches[len(batches)-1].Position, "\x00\x00\x00\x00")
			return want{survey.Bytes, records - 1, records - 1, records - 1}
		},
		"an end marker": func(t *testing.T, dir layout.Dir) want {
			bases, _, end := frames(t, dir, 0)
			overwrite(t, dir, 0, end.Position+9, "X")
			return want{survey.Bytes, bases[1], bases[1] - 1, records}
		},
		"an end marker wiped out": func(t *testing.T, dir layout.Dir) want {
			bases, _, end := frames(t, dir, 0)
			overwrite(t, dir, 0, end.Position, "\x00\x00\x00\x00")
			return want{survey.Bytes, bases[1], bases[1] - 1, records}
		},
		"a header": func(t *testing.T, dir layout.Dir) want {
			base := overwrite(t, dir, 1, 40, "X")
			return want{survey.Copy, base, base - 1, records}
		},
		"a header and its copy": func(t *testing.T, dir layout.Dir) want {
			overwrite(t, dir, 1, 40, "X")
			base := overwrite(t, dir, 1, 2048+40, "X")
			bases, _, _ := frames(t, dir, 0)
			return want{survey.Header, base, bases[2] - 1, records - (bases[2] - base)}
		},
		"a segment missing": func(t *testing.T, dir layout.Dir) want {
			bases, _, _ := frames(t, dir, 0)
			os.Remove(dir.Segment(bases[1]))
			return want{survey.Missing, bases[1], bases[2] - 1, records - (bases[2] - bases[1])}
		},
		"the last segment missing": func(t *testing.T, dir layout.Dir) want {
			bases, _, _ := frames(t, dir, 0)
			last := bases[len(bases)-1]
			os.Remove(dir.Segment(last))
			return want{survey.Missing, last, records - 1, last}
		},
		"an overlap": func(t *testing.T, dir layout.Dir) want {
			f, err := os.Create(dir.Segment(records - 1))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Truncate(segment.MinBytes); err != nil {
				t.Fatal(err)
			}
			s, err := segment.Format(f, segment.FileHeader{LogID: readID(t, dir), Base: records - 1, Epoch: 7, Size: segment.MinBytes})
			if err != nil {
				t.Fatal(err)
			}
			s.SetLastTime(time.Now().UnixNano())
			s.Close()
			return want{survey.Overlap, records - 1, records - 2, records}
		},
		"an index": func(t *testing.T, dir layout.Dir) want {
			write(t, dir.Index(0))
			return want{survey.Derived, 0, -1, records}
		},
		"meta": func(t *testing.T, dir layout.Dir) want {
			write(t, dir.Meta())
			return want{survey.Setting, 0, -1, records}
		},
		"retention": func(t *testing.T, dir layout.Dir) want {
			write(t, dir.Retention())
			return want{survey.Setting, 0, -1, records}
		},
		"a group": func(t *testing.T, dir layout.Dir) want {
			write(t, dir.Group("readers"))
			return want{survey.Group, 0, -1, records}
		},
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			dir, _ := newLog(t)
			want := harm(t, dir)
			r := run(t, dir)
			if len(r.Damage) != 1 {
				t.Fatalf("found %+v, want one damage", r.Damage)
			}
			d := r.Damage[0]
			if d.Kind != want.kind || d.What.First != want.first || d.What.Last != want.last || r.Records != want.records {
				t.Errorf("found kind %d, offsets %d to %d, %d records left: %v; want %+v", d.Kind, d.What.First, d.What.Last, r.Records, &d.What, want)
			}
		})
	}
}

// The same while a producer appends and drops: nothing is taken for damage.
func TestWhileProducersWrite(t *testing.T) {
	dir, w := newLog(t)
	if err := dir.WriteRetention(&layout.Meta{LogID: readID(t, dir), Mode: 0o600}, layout.Retention{Bytes: 4 * segment.MinBytes}); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			batch := []segment.Record{{Value: make([]byte, 300)}, {Value: make([]byte, 2000)}}
			if _, err := w.Append(context.Background(), batch); err != nil {
				done <- err
				return
			}
			time.Sleep(100 * time.Microsecond) // at full speed the disk would have to follow
		}
	}()
	first := run(t, dir).End
	for n, last := 0, first; n < 30 || last < first+2*records; n++ {
		r := run(t, dir)
		if len(r.Damage) > 0 || r.Torn != nil {
			t.Fatalf("a log in use gives %+v", r)
		}
		last = r.End
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func readID(t *testing.T, dir layout.Dir) [16]byte {
	t.Helper()
	m, err := dir.ReadMeta()
	if err != nil {
		t.Fatal(err)
	}
	return m.LogID
}
