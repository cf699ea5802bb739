package writer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

// What survives power loss is what was synced before it was relied upon. No test
// can take the power away, so these look at the order: at each sync, what the
// marks say that was on disk before.

// openWatched opens a producer whose syncs are seen, delayed or failed by around.
func openWatched(t *testing.T, dir layout.Dir, flushEvery time.Duration, around func(string, func() error) error) *writer.Writer {
	t.Helper()
	w, stop, err := writer.OpenWatched(context.Background(), dir, readMeta(t, dir),
		writer.Options{FlushEvery: flushEvery, Logger: slog.New(slog.DiscardHandler)}, around)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(); stop() })
	return w
}

// A recorder writes down each sync with what the marks said when it began.
type recorder struct {
	dir  layout.Dir
	meta layout.Meta

	mu    sync.Mutex
	syncs []string
}

func (r *recorder) around(what string, sync func() error) error {
	line := what + ", " + r.marks()
	r.mu.Lock()
	r.syncs = append(r.syncs, line)
	r.mu.Unlock()
	return sync()
}

// taken returns what was written down since the last call.
func (r *recorder) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	syncs := r.syncs
	r.syncs = nil
	return syncs
}

// marks returns the log's durable offset, or that no producer may use the log
// yet, and for each segment how many of its records its own mark says are durable.
func (r *recorder) marks() string {
	var b strings.Builder
	if ctl, err := control.Open(r.dir.Control(), r.meta.LogID, false); err != nil {
		b.WriteString("closed:")
	} else {
		fmt.Fprintf(&b, "durable %d:", ctl.Durable.Load())
		ctl.Close()
	}
	bases, _ := r.dir.Segments()
	for _, base := range bases {
		const durableMark, successor = 256, 264
		fmt.Fprintf(&b, " %d:%d", base, segment.UnpackCursor(headerWord(r.dir, base, durableMark)).Count)
		if next := headerWord(r.dir, base, successor); next != 0 {
			fmt.Fprintf(&b, "→%d", next)
		}
	}
	return b.String()
}

func headerWord(dir layout.Dir, base, position int64) uint64 {
	f, err := os.Open(dir.Segment(base))
	if err != nil {
		return 0
	}
	defer f.Close()
	var word [8]byte
	_, _ = f.ReadAt(word[:], position)
	return binary.LittleEndian.Uint64(word[:])
}

func wantSyncs(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("syncs:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// A segment's name is synced before any record in it is called durable, a mark
// moves only after the sync, and what was sealed and synced is left alone.
func TestSyncOrder(t *testing.T) {
	dir := newLog(t)
	r := &recorder{dir: dir, meta: readMeta(t, dir)}
	w := openWatched(t, dir, 0, r.around)
	r.taken()
	steps := []struct {
		appends int // three fit a segment
		syncs   []string
		after   string
	}{
		{1, []string{"data 0, durable 0: 0:0"}, "durable 1: 0:1"},
		{0, nil, "durable 1: 0:1"},
		{3, []string{
			"data 0, durable 1: 0:1 3:0",
			"data 3, durable 3: 0:3 3:0",
			"names, durable 3: 0:3 3:0",
		}, "durable 4: 0:3→3 3:1"},
		{1, []string{"data 3, durable 4: 0:3→3 3:1"}, "durable 5: 0:3→3 3:2"},
		{5, []string{
			"data 3, durable 5: 0:3→3 3:2 6:0 9:0",
			"data 6, durable 6: 0:3→3 3:3 6:0 9:0",
			"names, durable 6: 0:3→3 3:3 6:0 9:0",
			"data 9, durable 9: 0:3→3 3:3→6 6:3 9:0",
			"names, durable 9: 0:3→3 3:3→6 6:3 9:0",
		}, "durable 10: 0:3→3 3:3→6 6:3→9 9:1"},
		{1, []string{"data 9, durable 10: 0:3→3 3:3→6 6:3→9 9:1"}, "durable 11: 0:3→3 3:3→6 6:3→9 9:2"},
	}
	for i, step := range steps {
		for range step.appends {
			mustAppend(t, w, big("x"))
		}
		if err := w.SyncAll(context.Background()); err != nil {
			t.Fatal(err)
		}
		t.Logf("step %d", i)
		wantSyncs(t, r.taken(), step.syncs...)
		if after := r.marks(); after != step.after {
			t.Errorf("afterwards %s, want %s", after, step.after)
		}
	}
}

// A record that is appended while a sync is under way may or may not be on disk:
// that sync must not vouch for it. The same holds for an end marker.
func TestSyncCoversOnlyWhatWasThereWhenItBegan(t *testing.T) {
	for _, test := range []struct {
		name   string
		before int64 // three fit a segment
	}{{"a record", 1}, {"an end marker and a record", 3}} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late=%v", test.name, late), func(t *testing.T) {
				dir := newLog(t)
				r := &recorder{dir: dir, meta: readMeta(t, dir)}
				var w *writer.Writer
				during := func() {}
				w = openWatched(t, dir, 0, func(what string, sync func() error) error {
					appendOnce := during
					during = func() {}
					if !late {
						appendOnce()
					}
					err := r.around(what, sync)
					if late {
						appendOnce()
					}
					return err
				})
				for range test.before {
					mustAppend(t, w, big("x"))
				}
				r.taken()
				during = func() { mustAppend(t, w, big("y")) }
				if err := w.Sync(context.Background(), test.before); err != nil {
					t.Fatal(err)
				}
				if got := durableOffset(t, dir); got != test.before {
					t.Errorf("a sync of %d records moved the durable mark to %d", test.before, got)
				}
				if got := r.taken(); len(got) != 1 {
					t.Errorf("%d syncs of one segment: %q", len(got), got)
				}
				// What came during that sync needs another one, of the same segment.
				if err := w.SyncAll(context.Background()); err != nil {
					t.Fatal(err)
				}
				if got := r.taken(); len(got) == 0 || !strings.HasPrefix(got[0], "data 0,") {
					t.Errorf("the next sync did %q, want the segment's data first", got)
				}
				if got := durableOffset(t, dir); got != test.before+1 {
					t.Errorf("after the next sync the durable mark is %d, want %d", got, test.before+1)
				}
			})
		}
	}
}

// Whichever sync fails, nothing that it was to cover is called durable.
func TestFailedSyncMovesNoMark(t *testing.T) {
	for what, marks := range map[string]string{
		"data 0": "durable 0: 0:0 3:0",
		"data 3": "durable 3: 0:3 3:0",
		"names":  "durable 3: 0:3 3:0",
	} {
		t.Run(what, func(t *testing.T) {
			dir := newLog(t)
			openWriter(t, dir).Close() // makes the first segment
			r := &recorder{dir: dir, meta: readMeta(t, dir)}
			w := openWatched(t, dir, 0, func(now string, sync func() error) error {
				if now == what {
					return syscall.ENOSPC
				}
				return sync()
			})
			for range 4 {
				mustAppend(t, w, big("x"))
			}
			if err := w.SyncAll(context.Background()); !errors.Is(err, control.ErrSyncFailed) || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("the sync gave %v", err)
			}
			if got := r.marks(); got != marks {
				t.Errorf("afterwards %s, want %s", got, marks)
			}
		})
	}
}

// A mark in a segment reaches the disk with a sync that follows it. Closing is
// that sync: else the next boot would look at everything again.
func TestCloseSyncsTheMark(t *testing.T) {
	dir := newLog(t)
	r := &recorder{dir: dir, meta: readMeta(t, dir)}
	w := openWatched(t, dir, time.Hour, r.around)
	r.taken()
	mustAppend(t, w, "a")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantSyncs(t, r.taken(), "data 0, durable 0: 0:0", "data 0, durable 1: 0:1")
}

// A record that is appended while the background flush is under way is flushed in
// its turn, though nothing else is ever appended.
func TestFlushOfWhatCameDuringTheFlush(t *testing.T) {
	dir := newLog(t)
	openWriter(t, dir).Close()
	var w *writer.Writer
	var once sync.Once
	ready := make(chan struct{})
	w = openWatched(t, dir, time.Millisecond, func(what string, sync func() error) error {
		<-ready
		err := sync()
		once.Do(func() {
			if _, err := w.Append(context.Background(), values("b")); err != nil {
				t.Error(err)
			}
		})
		return err
	})
	close(ready)
	mustAppend(t, w, "a")
	for deadline := time.Now().Add(30 * time.Second); durableOffset(t, dir) != 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the second record was never flushed: the durable offset is %d", durableOffset(t, dir))
		}
	}
}

// Recovery vouches for a segment only when its data and its name are on disk, and
// lets nobody append before it is through.
func TestRecoveryOrder(t *testing.T) {
	remove := func(base int64) func(*testing.T, layout.Dir) {
		return func(t *testing.T, dir layout.Dir) {
			if err := os.Remove(dir.Segment(base)); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := map[string]struct {
		tear  func(t *testing.T, dir layout.Dir)
		syncs []string
		after string
	}{
		"nothing is torn": {func(*testing.T, layout.Dir) {}, []string{
			"data 0, closed: 0:1 3:0 6:0",
			"names, closed: 0:1 3:0 6:0",
			"data 3, closed: 0:3 3:0 6:0",
			"names, closed: 0:3 3:0 6:0",
			"data 6, closed: 0:3→3 3:3 6:0",
			"names, closed: 0:3→3 3:3 6:0",
		}, "durable 7: 0:3→3 3:3→6 6:1"},
		"a whole segment was durable": {
			// Its mark may be a copy's, of the original: it is synced all the same.
			func(t *testing.T, dir layout.Dir) {
				tail := headerWord(dir, 0, 128)
				logtest.Overwrite(t, dir, 0, 256, binary.LittleEndian.AppendUint64(nil, tail))
			}, []string{
				"data 0, closed: 0:3 3:0 6:0",
				"data 3, closed: 0:3 3:0 6:0",
				"names, closed: 0:3 3:0 6:0",
				"data 6, closed: 0:3 3:3 6:0",
				"names, closed: 0:3 3:3 6:0",
			}, "durable 7: 0:3 3:3→6 6:1"},
		// What is cut must have its new name on disk before it loses the old one, and
		// have lost that before its place is used.
		"the first segment is torn": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 0, positionsOf(t, dir, 0)[1]+100, []byte("X"))
		}, []string{
			"names, closed: 0:1 3:0 6:0", // cut itself
			"names in cut, closed: 0:1 3:0 6:0",
			"names in cut, closed: 0:1",
			"names, closed: 0:1",
			"data 0, closed: 0:1",
			"names, closed: 0:1",
		}, "durable 1: 0:1"},
		"the last segment's name is missing": {remove(6), []string{
			"data 0, closed: 0:1 3:0",
			"names, closed: 0:1 3:0",
			"data 3, closed: 0:3 3:0",
			"names, closed: 0:3 3:0",
			"data 6, closed: 0:3→3 3:3 6:0",
			"names, closed: 0:3→3 3:3 6:0",
		}, "durable 6: 0:3→3 3:3→6 6:0"},
		"the last segment's header is missing": {func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 6, 0, make([]byte, smallest))
		}, []string{
			"data 0, closed: 0:1 3:0 6:0",
			"names, closed: 0:1 3:0 6:0",
			"data 3, closed: 0:3 3:0 6:0",
			"names, closed: 0:3 3:0 6:0",
			"data 6, closed: 0:3→3 3:3 6:0", // the one that takes its place, before it has the name
			"names, closed: 0:3→3 3:3 6:0",  // cut itself
			"names in cut, closed: 0:3→3 3:3 6:0",
			"data 6, closed: 0:3→3 3:3 6:0",
			"names, closed: 0:3→3 3:3 6:0",
		}, "durable 6: 0:3→3 3:3→6 6:0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir, _ := rolledUnsynced(t)
			test.tear(t, dir)
			r := &recorder{dir: dir, meta: readMeta(t, dir)}
			openWatched(t, dir, 0, r.around)
			wantSyncs(t, r.taken(), test.syncs...)
			if after := r.marks(); after != test.after {
				t.Errorf("afterwards %s, want %s", after, test.after)
			}
		})
	}
}

// After power loss, removals of which some reached the disk must not look like a
// hole: each is on disk before the next one is made.
func TestRetentionSyncsBetweenRemovals(t *testing.T) {
	dir := newLog(t)
	openWriter(t, dir).Close()
	var mu sync.Mutex
	var firsts []int64 // the first segment at each sync of the directory
	w := openWatched(t, dir, 0, func(what string, sync func() error) error {
		if bases, err := dir.Segments(); err == nil && what == "names" {
			mu.Lock()
			if firsts = append(firsts, bases[0]); len(firsts) > 1 && firsts[len(firsts)-2] == bases[0] {
				firsts = firsts[:len(firsts)-1]
			}
			mu.Unlock()
		}
		return sync()
	})
	for range 12 {
		mustAppend(t, w, big("x"))
	}
	if err := w.SyncAll(context.Background()); err != nil {
		t.Fatal(err)
	}
	setRetention(t, dir, layout.Retention{Bytes: smallest})
	mustAppend(t, w, big("x")) // rolls
	if bases := segmentsAfter(t, w, dir); !slices.Equal(bases, []int64{12}) {
		t.Fatalf("segments %v are left", bases)
	}
	if want := []int64{0, 3, 6, 9, 12}; !slices.Equal(firsts, want) {
		t.Errorf("the directory was synced while the first segments were %v, want %v", firsts, want)
	}
}

// The page that holds a segment's newest time may be older, on disk, than its
// records. Times must not run backwards for that, nor in a segment that recovery
// makes: the clock may have been ahead, and is no more.
func TestTimesDoNotRunBackwardsAfterRecovery(t *testing.T) {
	tests := map[string]func(t *testing.T, dir layout.Dir){
		"the records are all there": func(*testing.T, layout.Dir) {},
		"the last segment's name is missing": func(t *testing.T, dir layout.Dir) {
			if err := os.Remove(dir.Segment(6)); err != nil {
				t.Fatal(err)
			}
		},
		"the last segment's header is missing": func(t *testing.T, dir layout.Dir) {
			logtest.Overwrite(t, dir, 6, 0, make([]byte, smallest))
		},
	}
	for name, tear := range tests {
		t.Run(name, func(t *testing.T) {
			dir := newLog(t)
			w := openWriter(t, dir)
			for i := range 7 {
				if i == 4 {
					writer.SetClockAhead(w, time.Now().Add(time.Hour).UnixNano())
				}
				mustAppend(t, w, big("x"))
			}
			w.Close()
			reboot(t, dir)
			tear(t, dir)
			for _, base := range []int64{0, 3, 6} {
				const lastTime = 136
				if headerWord(dir, base, lastTime) != 0 {
					logtest.Overwrite(t, dir, base, lastTime, make([]byte, 8))
				}
			}
			w = openWriter(t, dir)
			for range 5 { // through a roll
				mustAppend(t, w, big("y"))
			}
			readAll(t, dir) // looks at the times
		})
	}
}

// A segment's header came to be older than its records, as when somebody puts a
// page of an older copy in its place. What it says of tail and time is behind the
// truth then: records must not be overwritten, nor their times be undercut.
func TestHeaderOlderThanItsRecords(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	const tail = 128 // and behind it the last time
	older := binary.LittleEndian.AppendUint64(nil, headerWord(dir, 0, tail))
	older = binary.LittleEndian.AppendUint64(older, headerWord(dir, 0, tail+8))
	writer.SetClockAhead(w, time.Now().Add(time.Hour).UnixNano())
	mustAppend(t, w, "b")
	logtest.Overwrite(t, dir, 0, tail, older)
	mustAppend(t, w, "c")
	if got, want := readAll(t, dir), []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("log holds %q, want %q", got, want)
	}
}
