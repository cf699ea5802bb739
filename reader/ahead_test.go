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

// TestDryIsTheEndOnly: a reader that let the producer run ahead where more records
// are there already would do nothing meanwhile.
func TestDryIsTheEndOnly(t *testing.T) {
	const n = 50 // not the end of a run: these are of 1, 2, 4, 8, 16, 32 records
	value := func(bytes int) segment.Record { return segment.Record{Value: make([]byte, bytes)} }
	keyed := segment.Record{Key: []byte("k"), Value: []byte("v")}
	for name, tt := range map[string]struct {
		record func(i int) []segment.Record
		ends   bool // the end is found with the last records, and not by a look of its own
	}{
		"small":     {func(int) []segment.Record { return []segment.Record{value(20)} }, true},
		"keyed":     {func(int) []segment.Record { return []segment.Record{keyed} }, true},
		"in turns":  {func(i int) []segment.Record { return []segment.Record{value(20), keyed}[i%2:][:1] }, true},
		"in pairs":  {func(int) []segment.Record { return []segment.Record{value(20), value(20)} }, true},
		"of 16 KiB": {func(int) []segment.Record { return []segment.Record{value(16 << 10)} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := newLog(t)
			end := int64(0)
			for i := range n {
				base, err := w.Append(t.Context(), tt.record(i))
				if err != nil {
					t.Fatal(err)
				}
				end = base + int64(len(tt.record(i)))
			}
			r := newReader(t, openSource(t, dir), following(0))
			var rec segment.Record
			for offset := range end {
				if ok, err := r.TryNext(&rec); !ok || err != nil {
					t.Fatal(offset, ok, err)
				}
				if dry, left := r.Dry(); dry && offset+1+int64(left) != end {
					t.Fatalf("at offset %d of %d nothing is said to follow the next %d", offset, end, left)
				}
			}
			if dry, _ := r.Dry(); dry != tt.ends {
				t.Errorf("at the end it is dry: %v, want %v", dry, tt.ends)
			}
		})
	}
}

// TestCatchingUp: a reader that waits for each record thinks of letting its producer run
// ahead, unless it is to be as quick as it can, or nothing says yet that it has read all.
func TestCatchingUp(t *testing.T) {
	const n = 20
	for name, tt := range map[string]struct {
		spin  bool
		bytes int
		want  bool
	}{"small": {false, 20, true}, "with Spin": {true, 20, false}, "of 16 KiB": {false, 16 << 10, false}} {
		t.Run(name, func(t *testing.T) {
			dir, w := newLog(t)
			opts := following(0)
			opts.Spin = tt.spin
			r := newReader(t, openSource(t, dir), opts)
			var rec segment.Record
			for range n {
				if _, err := w.Append(t.Context(), []segment.Record{{Value: make([]byte, tt.bytes)}}); err != nil {
					t.Fatal(err)
				}
				if err := r.Next(t.Context(), &rec); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.CaughtUp(); (got > 0) != tt.want {
				t.Errorf("%d times with %d records", got, n)
			}
			if r.KnowsPace() != tt.want {
				t.Errorf("it measures how fast records come: %v", r.KnowsPace())
			}
			// What lies between two places is no stream that came meanwhile.
			if err := r.SeekTo(0); err != nil || r.KnowsPace() {
				t.Errorf("it goes on to measure across a seek, %v", err)
			}
		})
	}
}
