package writer_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/internal/seam"
	"github.com/seed27ccf144/mlog/internal/survey"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

var every = flag.Bool("every", false, "cut mending short at every call and not at some")

func mend(t *testing.T, dir layout.Dir, execute bool) *writer.Mending {
	t.Helper()
	m, err := writer.Mend(context.Background(), dir, writer.Options{Logger: slog.New(slog.DiscardHandler)}, execute)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newDamaged makes a log of ten records in four segments, {0, 1, 2} {3, 4, 5}
// {6, 7, 8} {9}, all durable if synced is set, without a live producer.
func newDamaged(t *testing.T, synced bool) layout.Dir {
	t.Helper()
	dir := newLog(t)
	w := openWriter(t, dir)
	for i := range 10 {
		mustAppend(t, w, big(fmt.Sprint(i)))
	}
	if synced {
		if err := w.SyncAll(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readAround returns what a reader gets that skips damage: values, and "lost N" for
// the offset of each record that is lost.
func readAround(t *testing.T, dir layout.Dir) []string {
	t.Helper()
	src, err := reader.NewSource(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := reader.NewReader(src, reader.Options{Until: reader.Unbounded})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for {
		var rec segment.Record
		ok, err := r.TryNext(&rec)
		var damage *segment.DamageError
		switch {
		case errors.As(err, &damage):
			for lost := damage.First; lost <= damage.Last; lost++ {
				got = append(got, fmt.Sprintf("lost %d", lost))
			}
			if err := r.SkipDamage(); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Fatal(err)
		case !ok:
			return got
		default:
			got = append(got, strings.TrimRight(string(rec.Value), "."))
		}
	}
}

// Each kind of damage: the log opens again, what is not lost is there, what is
// lost is said to be, and no offset is given out twice.
func TestMend(t *testing.T) {
	at := func(i int) int64 { return segment.HeaderBytes + int64(i)*20_040 } // a big record, its header, its padding
	garbage := []byte("garbage!")
	tests := map[string]struct {
		harm func(t *testing.T, dir layout.Dir)
		lost []int
	}{
		"a record":               {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 3, at(1)+100, garbage) }, []int{4}},
		"a commit word":          {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 3, at(1), make([]byte, 4)) }, []int{4}},
		"the first of a segment": {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 3, at(0), garbage) }, []int{3}},
		"the last of a segment":  {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 3, at(2), garbage) }, []int{5}},
		"two apart": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 3, at(0), garbage)
			logtest.Overwrite(t, dir, 3, at(2), garbage)
		}, []int{3, 5}},
		"an end marker": {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 3, at(3), garbage) }, nil},
		"a record and the marker": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 3, at(2), make([]byte, 30_000)[:at(3)-at(2)+40])
		}, []int{5}},
		"the newest record":     {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 9, at(0), garbage) }, []int{9}},
		"the newest, wiped out": {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 9, at(0), make([]byte, 8)) }, []int{9}},
		"a header":              {func(t *testing.T, dir layout.Dir) { logtest.Overwrite(t, dir, 3, 40, garbage) }, nil},
		"header and copy": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 3, 40, garbage)
			logtest.Overwrite(t, dir, 3, 2048+40, garbage)
		}, nil}, // the index knows the epoch
		"header, copy and index": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 3, 40, garbage)
			logtest.Overwrite(t, dir, 3, 2048+40, garbage)
			remove(t, dir.Index(3))
		}, []int{3, 4, 5}},
		"the newest header, its copy and index": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 9, 40, garbage)
			logtest.Overwrite(t, dir, 9, 2048+40, garbage)
			remove(t, dir.Index(9))
		}, []int{9}},
		"a segment":    {func(t *testing.T, dir layout.Dir) { remove(t, dir.Segment(3)) }, []int{3, 4, 5}},
		"two segments": {func(t *testing.T, dir layout.Dir) { remove(t, dir.Segment(3)); remove(t, dir.Segment(6)) }, []int{3, 4, 5, 6, 7, 8}},
		"marker and segment": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 3, at(3), garbage)
			remove(t, dir.Segment(6))
		}, []int{6, 7, 8}},
		"meta":      {func(t *testing.T, dir layout.Dir) { overwriteFile(t, dir.Meta()) }, nil},
		"retention": {func(t *testing.T, dir layout.Dir) { overwriteFile(t, dir.Retention()) }, nil},
		"an index":  {func(t *testing.T, dir layout.Dir) { overwriteFile(t, dir.Index(3)) }, nil},
	}
	for name, test := range tests {
		for _, boot := range []string{"the same boot", "another boot"} {
			t.Run(name+"/"+boot, func(t *testing.T) {
				dir := newDamaged(t, true)
				test.harm(t, dir)
				if boot == "another boot" {
					reboot(t, dir)
				}
				before := snapshot(t, dir)
				if m := mend(t, dir, false); !m.Needed() || m.Done {
					t.Fatalf("found %+v", m)
				}
				if after := snapshot(t, dir); !equalSnapshots(before, after) {
					t.Fatal("a dry run changed the log")
				}
				if m := mend(t, dir, true); !m.Done {
					t.Fatalf("not mended: %+v", m)
				}
				w := openWriter(t, dir)
				if base := mustAppend(t, w, "new"); base != 10 {
					t.Errorf("the new record got offset %d, want 10", base)
				}
				var want []string
				for i := range 10 {
					if slices.Contains(test.lost, i) {
						want = append(want, fmt.Sprintf("lost %d", i))
						continue
					}
					want = append(want, fmt.Sprint(i))
				}
				if got := readAround(t, dir); !slices.Equal(got, append(want, "new")) {
					t.Errorf("got %q, want %q and new", got, want)
				}
				w.Close()
				if m := mend(t, dir, true); m.Needed() || len(m.Findings) > 0 {
					t.Errorf("mended, and still there is %+v", m.Findings)
				}
				// The marks are part of the log: the next boot takes them as they are.
				reboot(t, dir)
				if base := mustAppend(t, openWriter(t, dir), "newer"); base != 11 {
					t.Errorf("after a reboot the next offset is %d, want 11", base)
				}
			})
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func overwriteFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("not what belongs here"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What was cut out is kept, and records that were visible in this boot are not cut
// as if a power loss had torn them.
func TestMendKeepsWhatItCuts(t *testing.T) {
	dir := newDamaged(t, false)
	position := positionsOf(t, dir, 9)[0]
	logtest.Overwrite(t, dir, 9, position+50, []byte("garbage!"))
	mend(t, dir, true)
	if got := readAround(t, dir); got[9] != "lost 9" {
		t.Errorf("read %q; the newest record was acknowledged, and must not vanish without a word", got)
	}
	kept, err := filepath.Glob(filepath.Join(dir.Cut(), layout.SegmentName(9)+".*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("cut holds %v, %v", kept, err)
	}
	if text, err := os.ReadFile(kept[0]); err != nil || !strings.Contains(string(text), "garbage!") {
		t.Errorf("%s holds %.100q, %v", kept[0], text, err)
	}
}

// Mending that is cut short, before or after any of its calls, is finished by the
// next one, with the same outcome; until then no producer opens the log.
func TestMendCutShort(t *testing.T) {
	harm := func(t *testing.T) layout.Dir {
		dir := newDamaged(t, false)
		logtest.Overwrite(t, dir, 3, positionsOf(t, dir, 3)[1]+100, []byte("garbage!"))
		for _, position := range []int64{40, 2048 + 40} {
			logtest.Overwrite(t, dir, 9, position, []byte("garbage!"))
		}
		remove(t, dir.Index(9))
		return dir
	}
	want := []string{"0", "1", "2", "3", "lost 4", "5", "6", "7", "8", "lost 9"}
	step := 11
	if *every {
		step = 1
	}
	shortened := errors.New("cut short")
	for n := 1; ; n += step {
		for _, before := range []bool{true, false} {
			dir := harm(t)
			calls, moved := 0, false
			stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
				if c.Op == "funlock" { // the end of the process would do it
					return do()
				}
				calls++
				if calls > n || calls == n && before {
					return shortened
				}
				err := do()
				moved = moved || err == nil && c.Op == "rename" && c.Path == dir.Control()
				if calls == n {
					err = shortened
				}
				return err
			})
			_, err := writer.Mend(context.Background(), dir, writer.Options{Logger: slog.New(slog.DiscardHandler)}, true)
			stop()
			if calls < n {
				if err != nil || calls < 30 {
					t.Errorf("mending took %d calls, %v", calls, err)
				}
				return
			}
			_, serr := os.Stat(dir.Control())
			if w, werr := tryOpen(t, dir); werr == nil {
				w.Close()
				if moved && errors.Is(serr, fs.ErrNotExist) {
					t.Errorf("call %d: a producer opened the log that is half mended", n)
				}
			}
			mend(t, dir, true)
			if base := mustAppend(t, openWriter(t, dir), "new"); base != 10 {
				t.Errorf("call %d: the new record got offset %d, want 10", n, base)
			}
			if got := readAround(t, dir); !slices.Equal(got, append(slices.Clone(want), "new")) {
				t.Errorf("call %d, made %t: got %q, want %q and new", n, !before, got, want)
			}
		}
	}
}

// All that a failed sync may have dropped is written again.
func TestMendAfterFailedSync(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	for i := range 5 {
		mustAppend(t, w, big(fmt.Sprint(i)))
	}
	if err := writer.BreakSync(w); err != nil {
		t.Fatal(err)
	}
	if err := w.SyncAll(context.Background()); !errors.Is(err, control.ErrSyncFailed) {
		t.Fatal(err)
	}
	w.Close()
	if m := mend(t, dir, false); !m.Poisoned {
		t.Fatal("the failed sync was not noticed")
	}
	if m := mend(t, dir, true); !m.Done {
		t.Fatalf("not mended: %+v", m)
	}
	w = openWriter(t, dir)
	if base := mustAppend(t, w, "new"); base != 5 {
		t.Errorf("the next offset is %d, want 5", base)
	}
	if got := durableOffset(t, dir); got != 5 {
		t.Errorf("%d records are durable, want 5", got)
	}
}

func TestMendIsNotForALogInUse(t *testing.T) {
	dir := newDamaged(t, true)
	w := openWriter(t, dir)
	logtest.Overwrite(t, dir, 3, positionsOf(t, dir, 3)[1]+100, []byte("garbage!"))
	before := snapshot(t, dir)
	_, err := writer.Mend(context.Background(), dir, writer.Options{Logger: slog.New(slog.DiscardHandler)}, true)
	if err == nil || !strings.Contains(err.Error(), "1 producers are live") {
		t.Errorf("with a live producer: %v", err)
	}
	if after := snapshot(t, dir); !equalSnapshots(before, after) {
		t.Error("it changed the log")
	}
	mustAppend(t, w, "goes on")
}

// A producer that has opened the control file before mending took it away notices,
// and opens the new one: else two producers would have two locks.
func TestProducerOpensDuringMend(t *testing.T) {
	dir := newDamaged(t, true)
	logtest.Overwrite(t, dir, 3, positionsOf(t, dir, 3)[1]+100, []byte("garbage!"))
	mended := false
	stop := seam.Watch(string(dir), func(c seam.Call, do func() error) error {
		if c.Op == "flock" && c.Path == dir.Slot(1) && !mended { // the control file is open, the slot is not taken
			mended = true
			mend(t, dir, true)
		}
		return do()
	})
	defer stop()
	w := openWriter(t, dir)
	if !mended {
		t.Fatal("nothing was mended, so this tested nothing")
	}
	other := openWriter(t, dir)
	for i := range 20 {
		for _, p := range []*writer.Writer{w, other} {
			mustAppend(t, p, fmt.Sprint("after ", i))
		}
	}
	if got := readAround(t, dir); len(got) != 50 {
		t.Errorf("%d records, want 50", len(got))
	}
	if r, err := survey.Run(context.Background(), dir, survey.Options{}); err != nil || len(r.Damage) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
