package check_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// What the page allows is no breach: retention, a dead producer's lock with what
// it may have left, a torn commit of a group, and no control file.
func TestWhatIsAllowed(t *testing.T) {
	rows := []struct {
		name, file string
		change     func(l *check.Log, b []byte) []byte
	}{
		{"bytes behind the end", "last", func(l *check.Log, b []byte) []byte {
			copy(b[l.Segments[len(l.Segments)-1].End+4:], "left by an append that never came to its commit")
			return b
		}},
		{"padding", "first", func(l *check.Log, b []byte) []byte {
			for _, batch := range l.Segments[0].Batches {
				if batch.Bytes%8 != 0 {
					b[batch.Position+batch.Bytes] = 0xee
				}
			}
			return b
		}},
		{"a torn commit", "groups/crew", set(64+20, 1, 2, 3, 4)},
		{"a control file of another boot", "control", func(_ *check.Log, b []byte) []byte {
			copy(b[16:], "another boot")
			copy(b[64:], le64(int64(check.Hash(b[:64]))))
			b[128] = 9
			return b
		}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := newLog(t)
			good := read(t, dir)
			edit(t, filepath.Join(dir, place(good, row.file)), func(b []byte) []byte { return row.change(good, b) })
			if now := read(t, dir); now.End != good.End || len(now.Records) != len(good.Records) {
				t.Errorf("%d records to %d, before there were %d to %d", len(now.Records), now.End, len(good.Records), good.End)
			}
		})
	}
}

// While a dead producer's lock is not repaired, the tail may lag.
func TestUnrepairedLog(t *testing.T) {
	dir := newLog(t)
	good := read(t, dir)
	s := good.Segments[len(good.Segments)-1]
	edit(t, filepath.Join(dir, s.Name()), func(b []byte) []byte {
		return set(128, cursor(s.Batches[1].Position, s.Batches[1].Offset-s.Base)...)(good, b)
	})
	edit(t, filepath.Join(dir, "control"), func(b []byte) []byte { return set(128, 7)(good, b) })
	if l := read(t, dir); l.End != good.End || l.Control.Lock != 7 {
		t.Errorf("end %d, lock %#x", l.End, l.Control.Lock)
	}
}

// What recovery and repair leave, or have while they are at work, is known by name.
func TestKnownNames(t *testing.T) {
	dir := newLog(t)
	if err := os.Mkdir(filepath.Join(dir, "cut"), 0o700); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"control.aside", "control.new", "unfinished", "spare~tmp-", "meta~tmp-1",
		"cut/00000000000000000000.seg.20260102T030405.4096-8192", "cut/00000000000000000000.seg.20260102T030405",
		"cut/meta.20260102T030405", "cut/retention.20260102T030405", "cut/groups~crew.20260102T030405",
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("anything"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read(t, dir)
	for i, name := range []string{"control.old", "cut/control.20260102T030405", "cut/meta", "0.seg"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := check.Read(dir, check.Options{})
		if err != nil || len(l.Notes) != i+1 {
			t.Errorf("with %s there are the notes %q (%v)", name, l.Notes, err)
		}
	}
}

// A log without a record has bounds too.
func TestEmptyLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, err := mlog.Open(dir, mlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, l)
	if l := read(t, dir); l.Start != 0 || l.End != 0 || l.Active != -1 {
		t.Errorf("%+v", l)
	}
}

// A log that is appended to, and that retention shortens, is right at every moment.
func TestInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: segmentBytes, Retention: mlog.Retention{Bytes: 4 * segmentBytes}})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, l)
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	appended := make(chan error, 1)
	go func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := w.AppendBatch(context.Background(), shapes(i%100)); err != nil {
				appended <- err
				return
			}
			time.Sleep(100 * time.Microsecond) // retention has to keep up
		}
		appended <- nil
	}()
	last, dropped := int64(0), int64(0)
	for dropped < 200 {
		found, err := check.Read(dir, check.Options{InUse: true})
		if err != nil {
			t.Fatal(err)
		}
		if found.End < last || int64(len(found.Records)) != found.End-found.Start {
			t.Fatalf("%d records from %d to %d, before the end was %d", len(found.Records), found.Start, found.End, last)
		}
		last, dropped = found.End, found.Start
		select {
		case err := <-appended:
			t.Fatalf("the producer is gone: %v", err)
		default:
		}
	}
	cancel()
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
}
