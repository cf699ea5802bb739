package writer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// TestMendSegmentThatIsAHole: a file that claims a terabyte is not read into memory.
func TestMendSegmentThatIsAHole(t *testing.T) {
	dir := newDamaged(t, true)
	path := dir.Segment(3)
	if err := errors.Join(os.Remove(dir.Index(3)), os.Truncate(path, 0), os.Truncate(path, 1<<40)); err != nil {
		t.Skip("this system has no such files: ", err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // so that what is allocated can be counted
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	mend(t, dir, true)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
}

// TestMendGapThatNoDiskHolds: the name of one segment must not have mending fill the
// disk with marks of lost records.
func TestMendGapThatNoDiskHolds(t *testing.T) {
	dir := newDamaged(t, true)
	const far = 1 << 60
	if err := os.Rename(dir.Segment(9), dir.Segment(far)); err != nil {
		t.Skip("this system renames no file that is mapped: ", err)
	}
	rename(t, dir, far)
	_, err := writer.Mend(context.Background(), dir, writer.Options{Logger: slog.New(slog.DiscardHandler)}, true)
	if err == nil {
		t.Error("a gap of almost 2^60 records was filled")
	}
	if bases, err := dir.Segments(); err != nil || len(bases) > 5 {
		t.Errorf("%d segments, %v", len(bases), err)
	}
}

// rename makes the header of a segment say what its name says.
func rename(t *testing.T, dir layout.Dir, base int64) {
	t.Helper()
	const copyAt, headBytes, sumAt = 2048, 80, 72
	b, err := os.ReadFile(dir.Segment(base))
	if err != nil {
		t.Fatal(err)
	}
	head := b[:headBytes]
	binary.LittleEndian.PutUint64(head[32:], uint64(base))
	binary.LittleEndian.PutUint64(head[sumAt:], xxhash.Sum64(head[:sumAt]))
	copy(b[copyAt:], head)
	clear(b[segment.HeaderBytes:])
	if err := os.WriteFile(dir.Segment(base), b, 0o600); err != nil {
		t.Fatal(err)
	}
}
