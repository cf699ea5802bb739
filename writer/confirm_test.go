package writer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
)

// Words of docs/format.md.
const (
	tailAt     = 128
	lastTimeAt = 136
	durableAt  = 256
	syncLockAt = 256 // in control, as the next ones
	durableOff = 320
	syncFromAt = 328
)

func flipWord(t *testing.T, path string, at int64, flip uint64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(b[:], binary.LittleEndian.Uint64(b[:])^flip)
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

var letters = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}

// tenRecords makes a log of ten batches, all durable, that nobody has open.
func tenRecords(t *testing.T) layout.Dir {
	t.Helper()
	dir := newLog(t)
	w := openWriter(t, dir)
	for _, letter := range letters {
		mustAppend(t, w, letter)
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return dir
}

// Any bit of the words that say where the log ends may be wrong: the next record
// must come behind the last one, with the next offset, and overwrite none.
func TestDamagedMarks(t *testing.T) {
	for name, test := range map[string]struct {
		at       int64
		rebooted bool
	}{
		"tail":                        {tailAt, false},
		"tail, after a reboot":        {tailAt, true},
		"last time":                   {lastTimeAt, false},
		"last time, after a reboot":   {lastTimeAt, true},
		"durable mark":                {durableAt, false},
		"durable mark after a reboot": {durableAt, true},
	} {
		t.Run(name, func(t *testing.T) {
			for bit := 0; bit < 64; bit += 7 {
				dir := tenRecords(t)
				flipWord(t, dir.Segment(0), test.at, 1<<bit)
				if test.rebooted {
					reboot(t, dir)
				}
				w := openWriter(t, dir)
				offset := mustAppend(t, w, "k")
				w.Close()
				// The durable mark is looked at after a reboot only. Until then readers
				// report what it seems to promise.
				if test.at == durableAt && !test.rebooted {
					flipWord(t, dir.Segment(0), durableAt, 1<<bit)
				}
				if got := readAll(t, dir); offset != 10 || !slices.Equal(got, append(slices.Clone(letters), "k")) {
					t.Fatalf("bit %d: appended at offset %d, the log holds %q", bit, offset, got)
				}
			}
		})
	}
}

// With the last batch so damaged that nothing tells whether the tail is right,
// nobody can append until the log is repaired.
func TestUnconfirmedTail(t *testing.T) {
	dir := tenRecords(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "not durable")
	w.Close()
	batches, _ := logtest.Batches(t, dir, 0)
	logtest.Overwrite(t, dir, 0, batches[10].Position, make([]byte, 8))
	w = openWriter(t, dir)
	if offset, err := w.Append(context.Background(), values("k")); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("appended at offset %d, %v", offset, err)
	}
}

// Words of the control file that no producer ever stored hold nobody up.
func TestDamagedSyncWords(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, dir layout.Dir){
		"a free lock with bits of no meaning":   func(t *testing.T, dir layout.Dir) { flipWord(t, dir.Control(), syncLockAt, 1<<20) },
		"a lock of a slot that cannot be":       func(t *testing.T, dir layout.Dir) { flipWord(t, dir.Control(), syncLockAt, 1<<15) },
		"a sync from where no segment is":       func(t *testing.T, dir layout.Dir) { flipWord(t, dir.Control(), syncFromAt, 1<<40) },
		"a durable offset behind the log's end": func(t *testing.T, dir layout.Dir) { flipWord(t, dir.Control(), durableOff, 1<<40) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := tenRecords(t)
			harm(t, dir)
			w := openWriter(t, dir)
			mustAppend(t, w, "k")
			if err := w.SyncAll(context.Background()); err != nil {
				t.Fatal(err)
			}
			if mark := logtest.MapSegment(t, dir, 0).Durable(); mark.Count != 11 {
				t.Errorf("durable up to record %d, want 11", mark.Count)
			}
		})
	}
}

// What recovery cuts, the index must not point at.
func TestRecoveryDropsIndexOfTheEnd(t *testing.T) {
	dir := tenRecords(t)
	before, err := os.Stat(dir.Index(0))
	if err != nil {
		t.Fatalf("the keeper makes the index before its producer is closed: %v", err)
	}
	reboot(t, dir)
	openWriter(t, dir).Close()
	if after, err := os.Stat(dir.Index(0)); err == nil && os.SameFile(before, after) {
		t.Error("recovery left the index as it was")
	}
}
