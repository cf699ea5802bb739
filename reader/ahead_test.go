package reader_test

import (
	"errors"
	"testing"

	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

// TestDamageAheadIsNotYetMet: a reader that has found damage while it verified
// ahead hands out what is before, stands where the caller is, and has nothing to
// skip until it has said so.
func TestDamageAheadIsNotYetMet(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 100)
	logtest.Overwrite(t, dir, 0, positionOf(t, dir, 0, 50)+segment.FrameBytes, []byte{0xff, 0xff})
	r := newReader(t, openSource(t, dir), following(0))
	for offset := range int64(50) {
		if got := r.Offset(); got != offset {
			t.Fatalf("it stands at %d, want %d", got, offset)
		}
		wantNext(t, r, offset, numberedText(int(offset)))
		if err := r.SkipDamage(); err == nil {
			t.Fatalf("after offset %d something was skipped", offset)
		}
	}
	var damage *segment.DamageError
	if _, err := r.TryNext(new(segment.Record)); !errors.As(err, &damage) || damage.First != 50 || damage.Last != 50 {
		t.Fatalf("damage gave %v", err)
	}
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	wantNext(t, r, 51, numberedText(51))
}

// TestSeekForgetsWhatIsAhead: what was verified at the old place is not handed
// out at the new one.
func TestSeekForgetsWhatIsAhead(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 100)
	r := newReader(t, openSource(t, dir), following(0))
	for offset := range int64(20) {
		wantNext(t, r, offset, numberedText(int(offset)))
	}
	for _, offset := range []int64{90, 3, 20, 21} {
		if err := r.SeekTo(offset); err != nil {
			t.Fatal(err)
		}
		wantNext(t, r, offset, numberedText(int(offset)))
	}
	r.Close()
	if _, err := r.TryNext(new(segment.Record)); !errors.Is(err, reader.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
