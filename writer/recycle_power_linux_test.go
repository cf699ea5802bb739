package writer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/segment"
)

// recycledEnd is a log, of an earlier boot, whose last segment is a recycled one
// with one record in it, a, and bytes of an earlier life behind that. The header
// that the file had in that life comes with it.
func recycledEnd(t *testing.T) (dir layout.Dir, last int64, before []byte) {
	t.Helper()
	dir, w := cappedLog(t)
	for {
		bases, err := dir.Segments()
		if err != nil {
			t.Fatal(err)
		}
		last = bases[len(bases)-1]
		s := logtest.MapSegment(t, dir, last)
		if s.Origin == segment.Recycled && s.Tail().Count == 1 {
			break
		}
		mustAppend(t, w, big("a"))
	}
	w.Close()
	reboot(t, dir)
	// Any segment before it is one that the file may have been before.
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(dir.Segment(bases[0]))
	if err != nil {
		t.Fatal(err)
	}
	return dir, last, head[:segment.HeaderBytes]
}

func cutFiles(t *testing.T, dir layout.Dir) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir.Cut(), "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func wantSound(t *testing.T, dir layout.Dir) {
	t.Helper()
	r, err := survey.Run(context.Background(), dir, survey.Options{})
	if err != nil || len(r.Damage) > 0 {
		t.Errorf("verify finds %+v, %v", r, err)
	}
}

// Bytes of an earlier life behind the end are no torn end: nothing is cut.
func TestRecoveryOfRecycledEnd(t *testing.T) {
	dir, last, _ := recycledEnd(t)
	s := logtest.MapSegment(t, dir, last)
	if s.LastNonZero(s.Tail().Position, s.Size) < s.Size/2 {
		t.Fatal("nothing of an earlier life is there, so this tests nothing")
	}
	wantSound(t, dir)
	before := readAll(t, dir)
	w := openWriter(t, dir)
	if cut := cutFiles(t, dir); len(cut) > 0 {
		t.Errorf("recovery cut %q", cut)
	}
	mustAppend(t, w, "next")
	if got := readAll(t, dir); len(got) != len(before)+1 || got[len(before)] != "next" {
		t.Errorf("the log holds %s", brief(got))
	}
	w.Close()
	wantSound(t, dir)
}

// The zero behind the last batch did not reach the disk: what is there instead is of
// an earlier life, and no torn batch.
func TestRecoveryWithoutTheZero(t *testing.T) {
	dir, last, _ := recycledEnd(t)
	s := logtest.MapSegment(t, dir, last)
	end := s.Tail().Position
	logtest.Overwrite(t, dir, last, end, []byte("bytes of an earlier life"))
	w := openWriter(t, dir)
	if cut := cutFiles(t, dir); len(cut) > 0 {
		t.Errorf("recovery cut %q", cut)
	}
	if logtest.MapSegment(t, dir, last).Committed(end) {
		t.Error("the word behind the last batch is not zero")
	}
	mustAppend(t, w, "next")
	readAll(t, dir)
}

// A recovery was cut short when the filesystem had given up the blocks behind the
// end and not allocated them anew, as XFS does one after the other. The next one finds
// zeros there, and must not leave it at that: appends would need disk.
func TestRecoveryFillsHoles(t *testing.T) {
	dir, last, _ := recycledEnd(t)
	s := logtest.MapSegment(t, dir, last)
	const page = 4096
	place := (s.Tail().Position/page + 2) * page
	w := openWriter(t, dir)
	mustAppend(t, w, strings.Repeat("f", int(place-s.Tail().Position)-segment.FrameBytes))
	w.Close()
	tail := s.Tail().Position
	if s.Origin != segment.Recycled || tail%page != 0 {
		t.Fatalf("the end is at %d in a segment that was %v, so this tests nothing", tail, s.Origin)
	}
	reboot(t, dir)
	f, err := os.OpenFile(dir.Segment(last), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, tail, s.Size-tail); err != nil {
		t.Skip("no holes here:", err)
	}
	openWriter(t, dir).Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	if st.Blocks*512 < st.Size {
		t.Errorf("recovery left a hole behind the end: %d of %d bytes have blocks", st.Blocks*512, st.Size)
	}
	if cut := cutFiles(t, dir); len(cut) > 0 {
		t.Errorf("recovery cut %q", cut)
	}
	readAll(t, dir)
}

// A torn batch of this life, which the durable mark does not cover, is cut and kept,
// and no more than that.
func TestRecoveryOfTornRecycledEnd(t *testing.T) {
	dir, last, _ := recycledEnd(t)
	clearDurableMark(t, dir, last)
	s := logtest.MapSegment(t, dir, last)
	end := s.Tail().Position
	logtest.Overwrite(t, dir, last, segment.HeaderBytes+1000, []byte("torn"))
	w := openWriter(t, dir)
	cut := cutFiles(t, dir)
	if len(cut) != 1 {
		t.Fatalf("recovery cut %q, want one piece", cut)
	}
	if fi, err := os.Stat(cut[0]); err != nil || fi.Size() != end-segment.HeaderBytes {
		t.Errorf("it is %v (%v), want the %d bytes of the batch", fi.Size(), err, end-segment.HeaderBytes)
	}
	if base := mustAppend(t, w, "next"); base != last {
		t.Errorf("the next record has offset %d, want %d", base, last)
	}
	readAll(t, dir)
	w.Close()
	wantSound(t, dir)
}

// The new header never reached the disk, in whole or in one of its two sectors. That
// is no damage, wherever in the log it is, since nothing in this life was promised.
func TestRecoveryOfEarlierHeader(t *testing.T) {
	const sector, copyAt = 512, 2048
	for name, parts := range map[string][]int64{"all": {0, copyAt}, "the first sector": {0}, "the copy": {copyAt}} {
		for _, alone := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				dir, last, earlier := recycledEnd(t)
				bases, err := dir.Segments()
				if err != nil {
					t.Fatal(err)
				}
				for _, base := range bases[:len(bases)-1] {
					if alone { // it has become the first one
						if err := os.Remove(dir.Segment(base)); err != nil {
							t.Fatal(err)
						}
						_ = os.Remove(dir.Index(base))
						continue
					}
					setSuccessor(t, dir, base, 0)
				}
				clearDurableMark(t, dir, last)
				for _, at := range parts {
					logtest.Overwrite(t, dir, last, at, earlier[at:at+sector])
				}
				wantSound(t, dir)
				readAll(t, dir) // before anybody has recovered it
				w := openWriter(t, dir)
				if base := mustAppend(t, w, "next"); base < last || base > last+1 {
					t.Errorf("the next record has offset %d in a segment that begins at %d", base, last)
				}
				readAll(t, dir)
				w.Close()
				wantSound(t, dir)
			})
		}
	}
}

// The same is damage where the segment before knows that this one was on disk.
func TestRecoveryRefusesEarlierHeaderOfSyncedSegment(t *testing.T) {
	dir, last, earlier := recycledEnd(t)
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	setSuccessor(t, dir, bases[len(bases)-2], last)
	logtest.Overwrite(t, dir, last, 0, earlier)
	_, err = tryOpen(t, dir)
	var damage *segment.DamageError
	if !errors.As(err, &damage) || damage.First != last {
		t.Errorf("opening gave %v, want damage from offset %d on", err, last)
	}
}
