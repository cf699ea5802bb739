package reader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

func positionOf(t *testing.T, dir layout.Dir, base, offset int64) int64 {
	t.Helper()
	batches, _ := logtest.Batches(t, dir, base)
	for _, b := range batches {
		if b.Base == offset {
			return b.Position
		}
	}
	t.Fatalf("no batch begins at offset %d", offset)
	return 0
}

// The records around damage stay readable; the gap is an error that says what is
// lost, stays until it is stepped over, and costs nothing but the batch hit.
func TestDamagedBatch(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 700)
	second := bases(t, dir)[1]
	hit := second + 10
	position := positionOf(t, dir, second, hit)
	logtest.Overwrite(t, dir, second, position+40, []byte("X"))

	src := openSource(t, dir)
	r := newReader(t, src, following(hit-2))
	wantNext(t, r, hit-2, numberedText(int(hit-2)))
	wantNext(t, r, hit-1, numberedText(int(hit-1)))
	want := segment.DamageError{
		Segment: layout.SegmentName(second), Position: position, First: hit, Last: hit, Reason: "checksum mismatch",
	}
	for range 2 {
		var rec segment.Record
		_, err := r.TryNext(&rec)
		var damage *segment.DamageError
		if !errors.As(err, &damage) || *damage != want {
			t.Fatalf("damage gave %v, want %v", err, &want)
		}
	}
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	for offset := hit + 1; offset < 700; offset++ {
		wantNext(t, r, offset, numberedText(int(offset)))
	}
	// A reader that begins behind the damage never meets it.
	wantNext(t, newReader(t, src, following(hit+1)), hit+1, numberedText(int(hit+1)))
}

func TestDamagedLengthAndZeroedPage(t *testing.T) {
	for name, junk := range map[string][]byte{
		"a length that leads nowhere":             {0xff, 0xff, 0xff, 0x7f},
		"a length that leads into the next batch": {200, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := newLog(t)
			numbered(t, w, 700)
			logtest.Overwrite(t, dir, 0, positionOf(t, dir, 0, 50), junk)
			r := newReader(t, openSource(t, dir), following(50))
			var rec segment.Record
			_, err := r.TryNext(&rec)
			var damage *segment.DamageError
			if !errors.As(err, &damage) || damage.First != 50 || damage.Last != 50 {
				t.Fatalf("damage gave %v", err)
			}
			if err := r.SkipDamage(); err != nil {
				t.Fatal(err)
			}
			wantNext(t, r, 51, numberedText(51))
		})
	}
}

// TestMarkerAndNextSegmentLost: with the end marker wiped and the segment behind it gone nothing
// says where the log goes on but the segment after that. It is damage, not the log's end.
func TestMarkerAndNextSegmentLost(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 900)
	row := bases(t, dir)
	if len(row) < 3 {
		t.Fatalf("segments at %v, want three", row)
	}
	_, end := logtest.Batches(t, dir, 0)
	logtest.Overwrite(t, dir, 0, end.Position, []byte{0, 0, 0, 0})
	if err := os.Remove(dir.Segment(row[1])); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, openSource(t, dir), following(row[1]-1))
	wantNext(t, r, row[1]-1, numberedText(int(row[1]-1)))
	var damage *segment.DamageError
	if _, err := r.TryNext(new(segment.Record)); !errors.As(err, &damage) || damage.First != row[1] {
		t.Fatalf("the loss gave %v", err)
	}
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	wantNext(t, r, row[2], numberedText(int(row[2])))
}

func TestMissingAndUnusableSegments(t *testing.T) {
	harms := map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"truncated": func(t *testing.T, path string) {
			if err := os.Truncate(path, 5000); err != nil {
				t.Fatal(err)
			}
		},
		"foreign": func(t *testing.T, path string) {
			if err := os.WriteFile(path, make([]byte, smallest), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			dir, w := newLog(t)
			numbered(t, w, 1000)
			all := bases(t, dir)
			harm(t, dir.Segment(all[1]))
			r := newReader(t, openSource(t, dir), following(all[1]-1))
			wantNext(t, r, all[1]-1, numberedText(int(all[1]-1)))
			var rec segment.Record
			_, err := r.TryNext(&rec)
			var damage *segment.DamageError
			if !errors.As(err, &damage) || damage.First != all[1] || damage.Last != all[2]-1 || damage.Segment != layout.SegmentName(all[1]) {
				t.Fatalf("got %v, want damage from %d to %d", err, all[1], all[2]-1)
			}
			if err := r.SkipDamage(); err != nil {
				t.Fatal(err)
			}
			wantNext(t, r, all[2], numberedText(int(all[2])))
		})
	}
}

// A stranger cuts a file under a live reader: an error, not the death of the
// process.
func TestSegmentTruncatedUnderReader(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 10)
	r := newReader(t, openSource(t, dir), following(0))
	wantNext(t, r, 0, numberedText(0))
	if err := os.Truncate(dir.Segment(0), 0); err != nil {
		t.Fatal(err)
	}
	err := r.Next(context.Background(), new(segment.Record))
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Errorf("the reader got %v, want a fault.Error", err)
	}
}

// TestRecoveredBetweenTwoLooks: a reader has found torn bytes at the log's end; by the time it
// asks whether a producer has come, one has, and has recovered the log and appended. The bytes
// are no damage.
func TestRecoveredBetweenTwoLooks(t *testing.T) {
	for _, texts := range [][]string{nil, {"new"}} {
		dir, w := newLog(t)
		appendTexts(t, w, "a")
		appendTexts(t, w, "torn")
		w.Close()
		logtest.Overwrite(t, dir, 0, positionOf(t, dir, 0, 1)+33, []byte("X"))
		if err := os.Remove(dir.Control()); err != nil {
			t.Fatal(err)
		}
		r := newReader(t, openSource(t, dir), following(0))
		wantNext(t, r, 0, "a")
		came := false
		stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
			if c.Op == "stat" && c.Path == dir.Control() && !came {
				came = true
				if w := openWriter(t, dir); len(texts) > 0 {
					appendTexts(t, w, texts...)
				}
			}
			return do()
		})
		var rec segment.Record
		_, err := r.TryNext(&rec)
		stop()
		if err != nil {
			t.Errorf("the reader got %v", err)
		}
		if !came {
			t.Fatal("the reader did not ask whether a producer had come")
		}
		for i, text := range texts {
			if rec.Value == nil {
				wantNext(t, r, int64(1+i), text)
			}
		}
	}
}

// After a reboot the end of the log may be torn. A reader that comes before any
// producer reads up to it and waits; when a producer has recovered the log, the
// reader goes on.
func TestReaderBeforeRecovery(t *testing.T) {
	dir, w := newLog(t)
	appendTexts(t, w, "a")
	appendTexts(t, w, "torn")
	w.Close()
	logtest.Overwrite(t, dir, 0, positionOf(t, dir, 0, 1)+33, []byte("X"))
	if err := os.Remove(dir.Control()); err != nil {
		t.Fatal(err)
	}
	src := openSource(t, dir)
	if end, err := src.End(); end != 1 || err != nil {
		t.Errorf("the end is %d (%v), want 1", end, err)
	}
	r := newReader(t, src, following(0))
	wantNext(t, r, 0, "a")
	wantNothing(t, r)
	got := make(chan string)
	go func() {
		var rec segment.Record
		if err := r.Next(context.Background(), &rec); err != nil {
			got <- err.Error()
		}
		got <- string(rec.Value)
	}()
	appendTexts(t, openWriter(t, dir), "new")
	if text := <-got; text != "new" {
		t.Errorf("the reader went on with %q", text)
	}
}

// The same bytes below the durable mark are damage, reboot or not.
func TestDamageBelowDurableMarkBeforeRecovery(t *testing.T) {
	dir, w := newLog(t)
	appendTexts(t, w, "a")
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	logtest.Overwrite(t, dir, 0, positionOf(t, dir, 0, 0)+32, []byte("X"))
	if err := os.Remove(dir.Control()); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, openSource(t, dir), following(0))
	if _, err := r.TryNext(new(segment.Record)); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("the reader got %v", err)
	}
}

func TestSkipWithoutDamage(t *testing.T) {
	dir, w := newLog(t)
	appendTexts(t, w, "a")
	r := newReader(t, openSource(t, dir), reader.Options{Until: reader.Unbounded})
	if err := r.SkipDamage(); err == nil {
		t.Error("there was nothing to skip")
	}
}

// Who asks for a time whose records are damaged is led to the damage, not past
// what lies behind it.
func TestOffsetAtTimeOfDamagedRecord(t *testing.T) {
	for hit := range int64(3) {
		dir, w := newLog(t)
		for range 6 {
			appendTexts(t, w, "some record")
			time.Sleep(time.Microsecond) // each has a time of its own
		}
		batches, _ := logtest.Batches(t, dir, 0)
		at := time.Unix(0, batches[hit].Time)
		logtest.Overwrite(t, dir, 0, batches[hit].Position+40, []byte("X"))
		src := openSource(t, dir)
		if got, err := src.OffsetAt(at); got != hit || err != nil {
			t.Errorf("the time of damaged record %d leads to offset %d, %v", hit, got, err)
		}
		r := newReader(t, src, following(hit))
		if _, err := r.TryNext(new(segment.Record)); !errors.Is(err, segment.ErrDamaged) {
			t.Errorf("reading there gave %v", err)
		}
	}
}

// The newest segment is unusable, while the log is in use or after a reboot. What
// lies below it stays readable; who comes to it, waits there, or asks where the log
// ends, is told.
func TestNewestSegmentUnusable(t *testing.T) {
	harms := map[string]func(path string) error{
		"missing":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 30_000) },
		"longer":    func(path string) error { return os.Truncate(path, 99_999) },
		"foreign":   func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("junk"), smallest/4), 0o600) },
	}
	for name, harm := range harms {
		for _, rebooted := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s rebooted=%v", name, rebooted), func(t *testing.T) {
				dir, w := newLog(t)
				numbered(t, w, 400)
				if err := w.SyncAll(context.Background()); err != nil {
					t.Fatal(err)
				}
				w.Close()
				all := bases(t, dir)
				last := all[len(all)-1]
				if err := harm(dir.Segment(last)); err != nil {
					t.Fatal(err)
				}
				if rebooted {
					if err := os.Remove(dir.Control()); err != nil {
						t.Fatal(err)
					}
				}
				src := openSource(t, dir)
				r := newReader(t, src, following(last-1))
				wantNext(t, r, last-1, numberedText(int(last-1)))
				var damage *segment.DamageError
				if err := r.Next(context.Background(), new(segment.Record)); !errors.As(err, &damage) || damage.Segment != layout.SegmentName(last) {
					t.Errorf("the reader got %v", err)
				}
				if _, err := src.End(); !errors.As(err, &damage) || damage.Segment != layout.SegmentName(last) {
					t.Errorf("the end is said to be where it is not: error %v", err)
				}
			})
		}
	}
}

func TestAllSegmentsMissing(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 10)
	w.Close()
	if err := os.Remove(dir.Segment(0)); err != nil {
		t.Fatal(err)
	}
	src := openSource(t, dir)
	if _, err := src.End(); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("the end: error %v", err)
	}
	r := newReader(t, src, following(0))
	if _, err := r.TryNext(new(segment.Record)); !errors.Is(err, segment.ErrDamaged) {
		t.Errorf("the reader got %v", err)
	}
}

// A stranger who may read the log holds a lock on a segment. It costs the others
// nothing but a moment.
func TestSegmentLockedByStranger(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 400)
	lock, err := filelock.ProbeExclusive(dir.Segment(0))
	if lock == nil || err != nil {
		t.Fatal(lock, err)
	}
	defer lock.Release()
	wantNext(t, newReader(t, openSource(t, dir), following(0)), 0, numberedText(0))
}

// Damage at the log's end has nothing behind it at first. A reader that waits there
// gets past it once there is something.
func TestSkipDamageOnceSomethingIsBehind(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 10)
	logtest.Overwrite(t, dir, 0, positionOf(t, dir, 0, 9)+40, []byte("X"))
	r := newReader(t, openSource(t, dir), following(9))
	var rec segment.Record
	if _, err := r.TryNext(&rec); !errors.Is(err, segment.ErrDamaged) {
		t.Fatalf("damage gave %v", err)
	}
	if err := r.SkipDamage(); !errors.Is(err, segment.ErrDamaged) {
		t.Fatalf("with nothing behind it, skipping gave %v", err)
	}
	appendTexts(t, w, "behind")
	if err := r.SkipDamage(); err != nil {
		t.Fatal(err)
	}
	wantNext(t, r, 10, "behind")
}
