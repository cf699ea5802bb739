package reader_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

// unrecovered returns a copy of a log, as a boot finds it: some records are known
// to be on disk, and behind them some bytes are torn.
func unrecovered(t *testing.T) (dir layout.Dir, durable, end int64) {
	t.Helper()
	original, w := newLog(t)
	numbered(t, w, 600)
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	last := appendTexts(t, w, "visible")
	appendTexts(t, w, "torn")
	dir = logtest.Copy(t, original)
	all := bases(t, dir)
	path := dir.Segment(all[len(all)-1])
	data, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(data), "torn", "tOrn", 1)), 0o600)
	}
	if err != nil || len(all) < 3 {
		t.Fatal(len(all), err)
	}
	return dir, last, last + 1
}

// Before a log is recovered, its end and its durable mark are found by a look at
// the segments. One that cannot be opened or read just now must not be passed
// over: the mark would be too low, and torn bytes be taken for damage.
func TestUnrecoveredLogTellsFailures(t *testing.T) {
	dir, durable, end := unrecovered(t)
	src := openSource(t, dir)
	for _, op := range []string{"open", "read", "mmap", "flock"} {
		for nth := int32(1); ; nth++ {
			var calls atomic.Int32
			stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
				if c.Op == op && !strings.HasSuffix(c.Path, ".idx") && calls.Add(1) == nth {
					return syscall.EMFILE
				}
				return do()
			})
			judge := func(what string, got, want int64, err error) {
				if err == nil && got != want || err != nil && (!errors.Is(err, syscall.EMFILE) || errors.Is(err, segment.ErrDamaged)) {
					t.Errorf("%s %d: %s is %d, %v; want %d", op, nth, what, got, err, want)
				}
			}
			got, err := src.Durable()
			judge("the durable mark", got, durable, err)
			got, err = src.End()
			judge("the end", got, end, err)
			got, err = readToEnd(src, end-1)
			judge("what is read", got, end, err)
			stop()
			if calls.Load() < nth {
				break
			}
		}
	}
}

// readToEnd reads from an offset on, and returns where there was no more.
func readToEnd(src *reader.Source, from int64) (int64, error) {
	r, err := reader.NewReader(src, following(from))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for {
		var rec segment.Record
		if ok, err := r.TryNext(&rec); !ok || err != nil {
			return r.Offset(), err
		}
	}
}
