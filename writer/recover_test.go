package writer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/seed27ccf144/mlog/internal/group"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// positionsOf returns where the batches of a segment begin, and where they end.
func positionsOf(t *testing.T, dir layout.Dir, base int64) []int64 {
	t.Helper()
	var positions []int64
	batches, end := logtest.Batches(t, dir, base)
	for _, b := range batches {
		positions = append(positions, b.Position)
	}
	return append(positions, end.Position)
}

// reboot leaves the log as another boot would find it: what its processes shared
// is void.
func reboot(t *testing.T, dir layout.Dir) {
	t.Helper()
	f, err := os.OpenFile(dir.Control(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("another boot id."), 16); err != nil {
		t.Fatal(err)
	}
}

// unsynced makes a log in which {a, b} is durable and {c, d}, {e}, {f} are not,
// and leaves it to a reboot.
func unsynced(t *testing.T) layout.Dir {
	t.Helper()
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a", "b")
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, w, "c", "d")
	mustAppend(t, w, "e")
	mustAppend(t, w, "f")
	w.Close()
	reboot(t, dir)
	return dir
}

func TestRecoveryCutsTornEnd(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e", "f"}
	tests := map[string]struct {
		tear func(t *testing.T, dir layout.Dir, at []int64)
		keep int
	}{
		"nothing is torn": {func(*testing.T, layout.Dir, []int64) {}, 6},
		"the last batch never reached the disk": {func(t *testing.T, dir layout.Dir, at []int64) {
			logtest.Overwrite(t, dir, 0, at[3], make([]byte, at[4]-at[3]))
		}, 5},
		"a byte of the last batch is old": {func(t *testing.T, dir layout.Dir, at []int64) {
			logtest.Overwrite(t, dir, 0, at[3]+32, []byte{0})
		}, 5},
		"a batch goes whole though its second record is intact": {func(t *testing.T, dir layout.Dir, at []int64) {
			logtest.Overwrite(t, dir, 0, at[1]+33, []byte{0})
		}, 2},
		"a batch in the middle is missing, later ones are intact": {func(t *testing.T, dir layout.Dir, at []int64) {
			logtest.Overwrite(t, dir, 0, at[2], make([]byte, at[3]-at[2]))
		}, 4},
		"a length that points far away": {func(t *testing.T, dir layout.Dir, at []int64) {
			logtest.Overwrite(t, dir, 0, at[3], binary.LittleEndian.AppendUint32(nil, 1<<31))
		}, 5},
		"junk behind the end": {func(t *testing.T, dir layout.Dir, at []int64) {
			logtest.Overwrite(t, dir, 0, at[4], bytes.Repeat([]byte{0xa5}, 5000))
		}, 6},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := unsynced(t)
			test.tear(t, dir, positionsOf(t, dir, 0))
			for range 2 { // recovery again changes nothing
				w := openWriter(t, dir)
				w.Close()
				if got := readAll(t, dir); !slices.Equal(got, all[:test.keep]) {
					t.Fatalf("after recovery the log holds %q, want %q", got, all[:test.keep])
				}
				reboot(t, dir)
			}
			w := openWriter(t, dir)
			if base := mustAppend(t, w, "new"); base != int64(test.keep) {
				t.Errorf("the next offset is %d, want %d", base, test.keep)
			}
		})
	}
}

// A batch behind the torn end has the segment's epoch and may come to stand just
// behind a new one: it must not come back, then or after the next power loss.
func TestCutRecordsNeverComeBack(t *testing.T) {
	dir := unsynced(t)
	at := positionsOf(t, dir, 0)
	logtest.Overwrite(t, dir, 0, at[2]+32, []byte{0}) // "e" is torn, "f" behind it is intact
	w := openWriter(t, dir)
	// The producer zeroes the next commit word before it appends, but that store
	// may be what the next power loss takes: the disk must have zeros already.
	data, err := os.ReadFile(dir.Segment(0))
	if err != nil {
		t.Fatal(err)
	}
	if rest := bytes.Trim(data[at[2]:], "\x00"); len(rest) != 0 {
		t.Errorf("%d bytes behind the cut are not zero", len(rest))
	}
	mustAppend(t, w, "E") // as long as "e"
	w.Close()
	reboot(t, dir)
	w = openWriter(t, dir)
	w.Close()
	if got, want := readAll(t, dir), []string{"a", "b", "c", "d", "E"}; !slices.Equal(got, want) {
		t.Errorf("log holds %q, want %q", got, want)
	}
}

func TestCutBytesAreKeptAside(t *testing.T) {
	dir := unsynced(t)
	at := positionsOf(t, dir, 0)
	logtest.Overwrite(t, dir, 0, at[3]+32, []byte("X"))
	openWriter(t, dir).Close()
	names, err := filepath.Glob(filepath.Join(dir.Cut(), "*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("copies of what was cut: %v, %v", names, err)
	}
	kept, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 33 || kept[32] != 'X' {
		t.Errorf("the copy has %d bytes, %q", len(kept), kept)
	}
}

// A group may have read visible records that did not survive. What is appended in
// their place must not be skipped.
func TestRecoveryTakesGroupsBackToTheEnd(t *testing.T) {
	dir := unsynced(t)
	meta := readMeta(t, dir)
	g, err := group.Open(dir, "g", &meta)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if ok, err := g.TryJoin(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := g.Commit(6); err != nil {
		t.Fatal(err)
	}
	logtest.Overwrite(t, dir, 0, positionsOf(t, dir, 0)[2], make([]byte, 4096))
	openWriter(t, dir).Close()
	if offset, _, err := group.Read(dir, "g", meta.LogID); offset != 4 || err != nil {
		t.Errorf("the group's committed offset is %d (%v), want the log's end 4", offset, err)
	}
}

// rolledUnsynced makes a log of three segments, of three big records each, of
// which only the first record is durable.
func rolledUnsynced(t *testing.T) (dir layout.Dir, all []string) {
	t.Helper()
	dir = newLog(t)
	w := openWriter(t, dir)
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		all = append(all, big(name))
		mustAppend(t, w, big(name))
		if name == "a" {
			if err := w.SyncAll(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Close()
	reboot(t, dir)
	if bases, err := dir.Segments(); err != nil || !slices.Equal(bases, []int64{0, 3, 6}) {
		t.Fatal(bases, err)
	}
	return dir, all
}

func TestRecoveryAcrossSegments(t *testing.T) {
	tests := map[string]struct {
		tear func(t *testing.T, dir layout.Dir)
		keep int
	}{
		"nothing is torn": {func(*testing.T, layout.Dir) {}, 7},
		"the first segment is torn, so the others go": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 0, positionsOf(t, dir, 0)[1]+100, []byte("X"))
		}, 1},
		"only an end marker is missing": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 0, positionsOf(t, dir, 0)[3], make([]byte, segment.EndMarkerBytes))
		}, 7},
		"the last segment's name is missing": {func(t *testing.T, dir layout.Dir) {
			if err := os.Remove(dir.Segment(6)); err != nil {
				t.Fatal(err)
			}
		}, 6},
		"a name in the middle is missing": {func(t *testing.T, dir layout.Dir) {
			if err := os.Remove(dir.Segment(3)); err != nil {
				t.Fatal(err)
			}
		}, 3},
		"the last segment's header never reached the disk": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 6, 0, make([]byte, smallest))
		}, 6},
		"two headers never reached the disk": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 3, 0, make([]byte, smallest))
			logtest.Overwrite(t, dir, 6, 0, make([]byte, smallest))
		}, 3},
		"the last segment has no length yet": {func(t *testing.T, dir layout.Dir) {
			if err := os.Truncate(dir.Segment(6), 0); err != nil {
				t.Fatal(err)
			}
		}, 6},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir, all := rolledUnsynced(t)
			test.tear(t, dir)
			for range 2 {
				openWriter(t, dir).Close()
				if got := readAll(t, dir); !slices.Equal(got, all[:test.keep]) {
					t.Fatalf("after recovery the log holds %s, want %s", brief(got), brief(all[:test.keep]))
				}
				reboot(t, dir)
			}
			w := openWriter(t, dir)
			for i := range 5 { // through a roll
				if base := mustAppend(t, w, big("new")); base != int64(test.keep+i) {
					t.Fatalf("the next offset is %d, want %d", base, test.keep+i)
				}
			}
			if n := len(readAll(t, dir)); n != test.keep+5 {
				t.Errorf("log holds %d records, want %d", n, test.keep+5)
			}
		})
	}
}

// What was once durable and is no more is damage. Opening for appending says so
// and changes nothing.
func TestRecoveryRefusesDamageBelowDurableMark(t *testing.T) {
	tests := map[string]func(t *testing.T, dir layout.Dir){
		"a foreign file in the place of a segment": func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 6, 0, bytes.Repeat([]byte("junk"), smallest/4))
		},
		"a truncated segment": func(t *testing.T, dir layout.Dir) {
			if err := os.Truncate(dir.Segment(6), 5000); err != nil {
				t.Fatal(err)
			}
		},
		"the newest segment is gone, which was durable": func(t *testing.T, dir layout.Dir) {
			if err := os.Remove(dir.Segment(6)); err != nil {
				t.Fatal(err)
			}
		},
		"all segments are gone": func(t *testing.T, dir layout.Dir) {
			for _, base := range []int64{0, 3, 6} {
				if err := os.Remove(dir.Segment(base)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"all segments and the control file are gone": func(t *testing.T, dir layout.Dir) {
			for _, path := range []string{dir.Segment(0), dir.Segment(3), dir.Segment(6), dir.Control()} {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
		},
		"a synced segment is gone": func(t *testing.T, dir layout.Dir) {
			if err := os.Remove(dir.Segment(3)); err != nil {
				t.Fatal(err)
			}
			clearDurableMark(t, dir, 0)
		},
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			dir, _ := rolledUnsynced(t)
			w := openWriter(t, dir)
			mustAppend(t, w, big("h"))
			if err := w.SyncAll(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.Close()
			reboot(t, dir)
			harm(t, dir)
			before := snapshot(t, dir)
			_, err := tryOpen(t, dir)
			var damage *segment.DamageError
			if !errors.As(err, &damage) {
				t.Fatalf("opening gave %v, want a DamageError", err)
			}
			if after := snapshot(t, dir); !equalSnapshots(before, after) {
				t.Error("opening a damaged log changed its files")
			}
		})
	}
}

// clearDurableMark takes a segment's mark back to its start, as if the page that
// holds it had not been written since: the mark may be older than the truth.
func clearDurableMark(t *testing.T, dir layout.Dir, base int64) {
	t.Helper()
	start := segment.Cursor{Position: segment.HeaderBytes}
	logtest.Overwrite(t, dir, base, 256, binary.LittleEndian.AppendUint64(nil, start.Pack()))
}

func snapshot(t *testing.T, dir layout.Dir) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir(string(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) == "producers" {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func equalSnapshots(a, b map[string][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for name, data := range a {
		if other, ok := b[name]; !ok || !bytes.Equal(data, other) {
			return false
		}
	}
	return true
}

func TestCopiedDirectoryIsRecovered(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	copied := logtest.Copy(t, dir)
	mustAppend(t, w, "b")
	v := openWriter(t, copied)
	mustAppend(t, v, "c")
	if got, want := readAll(t, copied), []string{"a", "c"}; !slices.Equal(got, want) {
		t.Errorf("the copy holds %q, want %q", got, want)
	}
	if got, want := readAll(t, dir), []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("the original holds %q, want %q", got, want)
	}
}

func TestControlFileLostUnderLiveProducers(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	if err := os.Remove(dir.Control()); err != nil {
		t.Fatal(err)
	}
	if _, err := tryOpen(t, dir); err == nil {
		t.Fatal("a second producer got in beside one that has another control file")
	}
	w.Close()
	openWriter(t, dir)
}

func TestOpenWithinABootRecoversNothing(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	v := openWriter(t, dir)
	if writer.Slot(v) == writer.Slot(w) {
		t.Error("two producers have one slot")
	}
	if n := writer.Takeovers(v).Load(); n != 0 {
		t.Errorf("%d repairs", n)
	}
	if base := mustAppend(t, v, "b"); base != 1 {
		t.Errorf("the second producer appended at offset %d, want 1", base)
	}
}

// A batch that verifies but has attributes that this build does not know was
// written by a later one. It is not a torn end.
func TestRecoveryRefusesLaterVersions(t *testing.T) {
	dir := unsynced(t)
	at := positionsOf(t, dir, 0)
	data, err := os.ReadFile(dir.Segment(0))
	if err != nil {
		t.Fatal(err)
	}
	h, err := segment.DecodeHeader(data)
	if err != nil {
		t.Fatal(err)
	}
	frame := data[at[3]:at[4]]
	frame[4] |= 1 << 5
	salted := binary.LittleEndian.AppendUint64(nil, h.Epoch+uint64(at[3]))
	salted = append(salted, frame[:24]...)
	salted = binary.LittleEndian.AppendUint64(salted, xxhash.Sum64(frame[32:33]))
	binary.LittleEndian.PutUint64(frame[24:], xxhash.Sum64(salted))
	logtest.Overwrite(t, dir, 0, at[3], frame)
	before := snapshot(t, dir)
	if _, err := tryOpen(t, dir); !errors.Is(err, layout.ErrIncompatible) {
		t.Errorf("opening gave %v", err)
	}
	if !equalSnapshots(before, snapshot(t, dir)) {
		t.Error("opening a later version's log changed its files")
	}
}

// Power was lost while the log was being made: its only segment has a name and
// nothing else, and nobody had come to append.
func TestRecoveryOfLogCutShortAtBirth(t *testing.T) {
	dir := newLog(t)
	if err := os.WriteFile(dir.Segment(0), make([]byte, smallest), 0o600); err != nil {
		t.Fatal(err)
	}
	if base := mustAppend(t, openWriter(t, dir), "a"); base != 0 {
		t.Errorf("the first offset is %d", base)
	}
}

// Two recoveries at the same place keep what each of them cut.
func TestNothingCutIsEverReplaced(t *testing.T) {
	dir, _ := rolledUnsynced(t)
	for i := range 3 {
		logtest.Overwrite(t, dir, 0, positionsOf(t, dir, 0)[1]+100, []byte("X")) // behind the durable record
		openWriter(t, dir).Close()
		names, err := filepath.Glob(filepath.Join(dir.Cut(), "*"))
		if err != nil || len(names) != 3+i {
			t.Fatalf("after %d recoveries: %q, %v", i+1, names, err)
		}
		w := openWriter(t, dir)
		mustAppend(t, w, big("again"))
		w.Close()
		clearDurableMark(t, dir, 0)
		reboot(t, dir)
	}
}
