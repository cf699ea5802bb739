package reader_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// Once retention has dropped something, the log starts with the first record of the
// first segment that is left, not somewhere behind it.
func TestReaderFromStartAfterRetention(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 1500)
	all := bases(t, dir)
	for i, base := range all[:len(all)-1] {
		if err := os.Remove(dir.Segment(base)); err != nil {
			t.Fatal(err)
		}
		src := openSource(t, dir)
		first := all[i+1]
		if start, err := src.Start(); start != first || err != nil {
			t.Fatalf("the log starts at %d (%v), want %d", start, err, first)
		}
		r := newReader(t, src, following(first))
		for offset := first; offset < 1500; offset++ {
			wantNext(t, r, offset, numberedText(int(offset)))
		}
		wantNothing(t, r)
	}
}

// A reader whose place is gone goes on with the first record that is left.
func TestSkipToStart(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 1500)
	all := bases(t, dir)
	const dropped = 3
	src := openSource(t, dir)
	inFirst, atSecond := newReader(t, src, following(0)), newReader(t, src, following(0))
	wantNext(t, inFirst, 0, numberedText(0))
	for offset := range all[1] {
		wantNext(t, atSecond, offset, numberedText(int(offset)))
	}
	for _, base := range all[:dropped] {
		if err := os.Remove(dir.Segment(base)); err != nil {
			t.Fatal(err)
		}
	}
	for offset := int64(1); offset < all[1]; offset++ { // what it has mapped, it keeps
		wantNext(t, inFirst, offset, numberedText(int(offset)))
	}
	for _, r := range []*reader.Reader{inFirst, atSecond} {
		_, err := r.TryNext(new(segment.Record))
		var gone *reader.RangeError
		if !errors.As(err, &gone) || gone.Requested != all[1] || gone.Start != all[dropped] || gone.End != 1500 {
			t.Fatalf("got %v (%+v), want that offset %d is gone of those from %d to 1500", err, gone, all[1], all[dropped])
		}
		if err := r.SkipDamage(); err != nil || r.Offset() != all[dropped] {
			t.Fatalf("skipped to %d (%v), want %d", r.Offset(), err, all[dropped])
		}
		for offset := all[dropped]; offset < 1500; offset++ {
			wantNext(t, r, offset, numberedText(int(offset)))
		}
		wantNothing(t, r)
	}
}

// Retention that drops a segment between any two looks at the directory gets nowhere ahead of
// a reader that begins with the oldest record.
func TestOldestWhileRetentionDrops(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 1500)
	src := openSource(t, dir)
	all := bases(t, dir)
	logtest.DropAfterEachLook(t, dir)
	r := newReader(t, src, reader.Options{Oldest: true, Until: reader.Unbounded})
	if r.Offset() != all[1] {
		t.Errorf("the reader begins at %d, want %d, which was the oldest when it looked", r.Offset(), all[1])
	}
	wantNext(t, r, all[1], numberedText(int(all[1])))
}

// So it is with one that skips from a place that is gone.
func TestSkipToStartWhileRetentionDrops(t *testing.T) {
	dir, all, r := placeGone(t)
	logtest.DropAfterEachLook(t, dir)
	if err := r.SkipDamage(); err != nil || r.Offset() != all[3] {
		t.Fatalf("skipped to %d, %v; want %d", r.Offset(), err, all[3])
	}
	wantNext(t, r, all[3], numberedText(int(all[3])))
}

// Where nothing is left of a log, a reader stays where it is: it does not begin anew at offset 0.
func TestSkipToStartNeverGoesBack(t *testing.T) {
	dir, all, r := placeGone(t)
	for _, base := range all[2:] {
		if err := os.Remove(dir.Segment(base)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.SkipDamage(); err == nil || r.Offset() != all[1] {
		t.Errorf("skipped to offset %d, %v; want an error at %d", r.Offset(), err, all[1])
	}
}

// placeGone returns a log, its segments' base offsets, of which two are dropped by now, and a
// reader that was told so when it came to the second.
func placeGone(t *testing.T) (dir layout.Dir, all []int64, r *reader.Reader) {
	t.Helper()
	dir, w := newLog(t)
	numbered(t, w, 1500)
	all = bases(t, dir)
	r = newReader(t, openSource(t, dir), following(0))
	for offset := range all[1] {
		wantNext(t, r, offset, numberedText(int(offset)))
	}
	if _, _, err := w.Trim(context.Background(), writer.Limits{Before: all[2]}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.TryNext(new(segment.Record)); !errors.Is(err, reader.ErrOutOfRange) {
		t.Fatalf("got %v, want that offset %d is gone", err, all[1])
	}
	return dir, all, r
}
