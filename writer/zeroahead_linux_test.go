//go:build !race

package writer_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// In a file full of an earlier life's bytes each append leaves a zero behind it, whether it
// stores that itself or relies on those that the one before left.
func TestZerosBehindTheTail(t *testing.T) {
	dir, w := cappedLog(t)
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	s := activeSegment(t, dir)
	if end := s.Tail().Position; s.LastNonZero(end, s.Size) <= end {
		t.Fatal("nothing is behind the tail anyway")
	}
	found := 0
	for i := range 100 { // so few that the clock is read for each: see lone
		text := strings.Repeat("x", 1+i*3%120)
		next := segment.NextOfLone(s.Tail(), len(text)).Position
		alone := writer.GoesAlone(w)
		if alone && next < writer.Zeros(w) {
			found++
		}
		if _, err := appendOne(w, text); err != nil {
			t.Fatal(err)
		}
		tail := s.Tail().Position
		if tail != next {
			t.Fatalf("record %d ends at %d, want %d", i, tail, next)
		}
		if s.Committed(tail) {
			t.Fatalf("behind record %d is no zero", i)
		}
		if zeros := writer.Zeros(w); alone && zeros < tail+segment.FrameBytes {
			t.Fatalf("record %d, at %d, leaves zeros up to %d only", i, tail, zeros)
		} else if alone && s.LastNonZero(tail, zeros) > tail {
			t.Fatalf("not all bytes from %d to %d are zero", tail, zeros)
		}
	}
	if found < 50 {
		t.Errorf("%d appends of 100 found zeros where theirs would be", found)
	}
}

// Whatever a stranger stores behind the tail is overwritten by the next append.
func TestZerosThatAStrangerHasOverwritten(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	if _, err := fillUntilAlone(w); err != nil {
		t.Fatal(err)
	}
	s := activeSegment(t, dir)
	for i := range 20 {
		if !writer.GoesAlone(w) {
			t.Fatal("an append does not go alone, so this tests something else")
		}
		if _, err := appendOne(w, "one by one"); err != nil {
			t.Fatal(err)
		}
		if s.Committed(s.Tail().Position) {
			t.Fatalf("behind record %d is no zero", i)
		}
		junk := bytes.Repeat([]byte{0xff}, 400)
		if err := writeInto(dir.Segment(s.Base), junk, s.Tail().Position+8); err != nil {
			t.Fatal(err)
		}
	}
}

func writeInto(path string, data []byte, position int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, position)
	return errors.Join(err, f.Close())
}

// One producer leaves zeros behind the tail. Another one begins a record there and dies; a
// third repairs, and then cannot append either. The tail is where it was, the lock is free,
// and the bytes of the dead one's record are where the first one's next commit word will be.
func TestZerosThatAreNoneAnyMore(t *testing.T) {
	for before := range 4 { // so the zeros end at different places
		t.Run(strconv.Itoa(before), func(t *testing.T) { zerosThatAreNone(t, 2+before) })
	}
}

func zerosThatAreNone(t *testing.T, before int) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, big("a"))
	fills, err := fillUntilAlone(w)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]string{big("a")}, slices.Repeat([]string{"fill"}, fills)...)
	for range before {
		if _, err := appendOne(w, "one by one"); err != nil {
			t.Fatal(err)
		}
		want = append(want, "one by one")
	}
	s := activeSegment(t, dir)
	tail := s.Tail()

	dead := startChild(t, nil, "hold", string(dir), "staged", "hang", strings.Repeat("\xff", 2000))
	dead.expect("held")
	dead.kill()
	third := openWriter(t, dir)
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Path == dir.Unfinished() || c.Op == "rename" {
			return syscall.ENOSPC
		}
		return do()
	})
	if _, err := third.Append(t.Context(), values(strings.Repeat("d", 60_000))); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the third producer's append: %v, want a full disk", err)
	}
	stop()

	text := func(i int) string { return strings.Repeat("x", 1+i%2*100) }
	next := segment.NextOfLone(tail, len(text(0)))
	if s.Tail() != tail || writer.LockOwner(w) != 0 || !s.Committed(next.Position) || next.Position >= writer.Zeros(w) || !writer.GoesAlone(w) {
		t.Fatalf("tail %v, was %v; lock of %d; zeros up to %d: this tests something else", s.Tail(), tail, writer.LockOwner(w), writer.Zeros(w))
	}
	for i := range 25 { // the dead one's record is about as long as these together; they are long and short in turns
		if _, err := appendOne(w, text(i)); err != nil {
			t.Fatal(err)
		}
		want = append(want, text(i))
		if s.Tail() != next || s.Committed(next.Position) {
			t.Errorf("after append %d the tail is %v, want %v, with a zero", i, s.Tail(), next)
		}
		next = segment.NextOfLone(next, len(text(i+1)))
	}
	if got := readAll(t, dir); !slices.Equal(got, want) {
		t.Errorf("the log holds %s, want %s", brief(got), brief(want))
	}
}
