package writer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
)

// sealedAndNext makes a log whose first segment is full and synced, with a, b and
// c, and whose second one, with d, is known to nobody to be on disk.
func sealedAndNext(t *testing.T) layout.Dir {
	t.Helper()
	dir := newLog(t)
	w := openWriter(t, dir)
	for _, name := range []string{"a", "b", "c", "d"} {
		mustAppend(t, w, big(name))
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	reboot(t, dir)
	setSuccessor(t, dir, 0, 0)
	clearDurableMark(t, dir, 3)
	return dir
}

func setSuccessor(t *testing.T, dir layout.Dir, base, successor int64) {
	t.Helper()
	logtest.Overwrite(t, dir, base, 264, binary.LittleEndian.AppendUint64(nil, uint64(successor)))
}

// neverOnDisk is what a power loss may leave of a segment that was never synced.
var neverOnDisk = map[string]func(t *testing.T, dir layout.Dir){
	"nothing but its name": func(t *testing.T, dir layout.Dir) {
		if err := os.Truncate(dir.Segment(3), 0); err != nil {
			t.Fatal(err)
		}
	},
	"no header": func(t *testing.T, dir layout.Dir) {
		logtest.Overwrite(t, dir, 3, 0, make([]byte, segment.HeaderBytes))
	},
	"a header, and not all of its length": func(t *testing.T, dir layout.Dir) {
		if err := os.Truncate(dir.Segment(3), smallest/2); err != nil {
			t.Fatal(err)
		}
	},
}

// The log goes on in a segment that is made anew, and times go on from those of
// the segment before, though recovery has no need to look into that.
func TestRecoveryOfSegmentThatWasNeverSynced(t *testing.T) {
	for name, lose := range neverOnDisk {
		t.Run(name, func(t *testing.T) {
			dir := sealedAndNext(t)
			lose(t, dir)
			mustAppend(t, openWriter(t, dir), "new")
			if got := readAll(t, dir); len(got) != 4 || got[3] != "new" {
				t.Errorf("the log holds %s", brief(got))
			}
			floor, newest := logtest.MapSegment(t, dir, 3).Floor, logtest.MapSegment(t, dir, 0).LastTime()
			if floor != newest {
				t.Errorf("the new segment's floor is %d, and the newest record before it of %d", floor, newest)
			}
		})
	}
}

// The same files are damage if the segment before says that this one was on disk.
func TestRecoveryRefusesLossOfSyncedSegment(t *testing.T) {
	for name, lose := range neverOnDisk {
		t.Run(name, func(t *testing.T) {
			dir := sealedAndNext(t)
			setSuccessor(t, dir, 0, 3)
			lose(t, dir)
			before := snapshot(t, dir)
			_, err := tryOpen(t, dir)
			var damage *segment.DamageError
			if !errors.As(err, &damage) || damage.First != 3 {
				t.Errorf("opening gave %v, want damage from offset 3 on", err)
			}
			if !equalSnapshots(before, snapshot(t, dir)) {
				t.Error("opening a damaged log changed its files")
			}
		})
	}
}

// Header and copy lie in two sectors, of which just one may have reached the disk.
// Recovery writes the other.
func TestRecoveryMendsHalfHeader(t *testing.T) {
	const sector, copyAt = 512, 2048
	for _, at := range []int64{0, copyAt} {
		dir := sealedAndNext(t)
		logtest.Overwrite(t, dir, 3, at, make([]byte, sector))
		openWriter(t, dir)
		if got := readAll(t, dir); len(got) != 4 {
			t.Errorf("without the sector at %d the log holds %s", at, brief(got))
		}
		head := logtest.MapSegment(t, dir, 3).Bytes()[:segment.HeaderBytes]
		if string(head[:80]) != string(head[copyAt:copyAt+80]) {
			t.Errorf("the sector at %d was not mended", at)
		}
	}
}
