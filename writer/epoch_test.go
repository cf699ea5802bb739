package writer_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
)

// Each life of a segment draws its own epoch, whoever begins it: creation, a roll,
// recovery or mending. Else batches of another life, or of another log, could come
// to verify in it. There are two logs, since a constant would not show in one.
func TestEachSegmentHasItsOwnEpoch(t *testing.T) {
	owner := map[uint64]string{0: "nobody: zero is no draw"}
	drawn := func(dir layout.Dir, base int64, what string) {
		t.Helper()
		epoch := logtest.MapSegment(t, dir, base).Epoch
		if other, used := owner[epoch]; used {
			t.Errorf("%s has epoch %#x, as has %s", what, epoch, other)
		}
		owner[epoch] = what
	}
	for n := range 2 {
		life := func(how string) string { return fmt.Sprintf("the one of log %d %s", n, how) }
		dir := sealedAndNext(t)
		drawn(dir, 0, life("made first"))
		drawn(dir, 3, life("after a roll"))

		logtest.Overwrite(t, dir, 3, 0, make([]byte, segment.HeaderBytes))
		w := openWriter(t, dir)
		drawn(dir, 3, life("that recovery made in the place of one without a header"))
		mustAppend(t, w, big("d"), big("e"), big("f"))
		mustAppend(t, w, big("g"))
		drawn(dir, 6, life("after another roll"))
		if err := w.SyncAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.Close()

		remove(t, dir.Segment(3))
		mend(t, dir, true)
		drawn(dir, 3, life("that mending made in the place of one that is missing"))

		reboot(t, dir)
		setSuccessor(t, dir, 3, 0)
		remove(t, dir.Segment(6))
		openWriter(t, dir).Close()
		drawn(dir, 6, life("that recovery made behind an end marker"))
	}
}
