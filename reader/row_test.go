package reader_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
)

// neverSynced is what a power loss may leave of a segment that was never synced.
var neverSynced = map[string]func(t *testing.T, path string){
	"nothing but its name": func(t *testing.T, path string) {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	},
	"no header": func(t *testing.T, path string) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(make([]byte, segment.HeaderBytes), 0); err != nil {
			t.Fatal(err)
		}
	},
}

// After a reboot the newest segment may be a name only. For a reader that comes
// before any producer the log ends before it, and goes on when a producer has
// made it anew.
func TestReaderBeforeRecoveryOfUnsyncedSegment(t *testing.T) {
	for name, lose := range neverSynced {
		t.Run(name, func(t *testing.T) {
			dir, w := newLog(t)
			numbered(t, w, 1000)
			w.Close()
			all := bases(t, dir)
			last := all[len(all)-1]
			lose(t, dir.Segment(last))
			logtest.Overwrite(t, dir, all[len(all)-2], 264, binary.LittleEndian.AppendUint64(nil, 0)) // nobody knows that it was on disk
			if err := os.Remove(dir.Control()); err != nil {
				t.Fatal(err)
			}
			src := openSource(t, dir)
			if end, err := src.End(); end != last || err != nil {
				t.Errorf("the end is %d (%v), want %d", end, err, last)
			}
			r := newReader(t, src, following(last-1))
			wantNext(t, r, last-1, numberedText(int(last-1)))
			wantNothing(t, r)
			appendTexts(t, openWriter(t, dir), "new")
			var rec segment.Record
			if err := r.Next(context.Background(), &rec); err != nil || string(rec.Value) != "new" || rec.Offset != last {
				t.Errorf("the reader went on with %d %q, %v", rec.Offset, rec.Value, err)
			}
		})
	}
}

// Of several names that were not synced, a filesystem may keep the later one.
func TestReaderBeforeRecoveryOfLostName(t *testing.T) {
	dir, w := newLog(t)
	numbered(t, w, 1000)
	w.Close()
	all := bases(t, dir)
	lost := all[len(all)-2]
	for _, base := range all { // as nothing was ever synced
		start := segment.Cursor{Position: segment.HeaderBytes}
		logtest.Overwrite(t, dir, base, 256, binary.LittleEndian.AppendUint64(nil, start.Pack()))
		logtest.Overwrite(t, dir, base, 264, make([]byte, 8))
	}
	if err := errors.Join(os.Remove(dir.Segment(lost)), os.Remove(dir.Control())); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, openSource(t, dir), following(lost-1))
	wantNext(t, r, lost-1, numberedText(int(lost-1)))
	wantNothing(t, r)
	appendTexts(t, openWriter(t, dir), "new")
	var rec segment.Record
	if err := r.Next(context.Background(), &rec); err != nil || string(rec.Value) != "new" || rec.Offset != lost {
		t.Errorf("the reader went on with %d %q, %v", rec.Offset, rec.Value, err)
	}
}

// If an unsynced segment is the only one the log is empty, as nobody can have
// appended to it.
func TestReaderBeforeRecoveryOfFirstSegment(t *testing.T) {
	for name, lose := range neverSynced {
		t.Run(name, func(t *testing.T) {
			dir := layout.Dir(t.TempDir())
			if _, err := dir.Create(context.Background(), layout.Settings{SegmentBytes: smallest, Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(dir.Spare(), dir.Segment(0)); err != nil {
				t.Fatal(err)
			}
			lose(t, dir.Segment(0))
			src := openSource(t, dir)
			if end, err := src.End(); end != 0 || err != nil {
				t.Errorf("the end is %d (%v), want 0", end, err)
			}
			wantNothing(t, newReader(t, src, following(0)))
		})
	}
}

// What the segment before knows to have been on disk, and is not there any more, is
// damage, and so is a file of other bytes.
func TestLossOfSyncedSegmentBeforeRecovery(t *testing.T) {
	for name, lose := range neverSynced {
		t.Run(name, func(t *testing.T) {
			dir, w := newLog(t)
			numbered(t, w, 1000)
			if err := w.SyncAll(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.Close()
			all := bases(t, dir)
			last := all[len(all)-1]
			lose(t, dir.Segment(last))
			if err := os.Remove(dir.Control()); err != nil {
				t.Fatal(err)
			}
			r := newReader(t, openSource(t, dir), reader.Options{From: last - 1, Until: reader.Unbounded})
			wantNext(t, r, last-1, numberedText(int(last-1)))
			_, err := r.TryNext(new(segment.Record))
			var damage *segment.DamageError
			if !errors.As(err, &damage) || damage.First != last {
				t.Errorf("got %v, want damage from offset %d on", err, last)
			}
		})
	}
}
