//go:build unix

package writer_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/control"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/logtest"
	"github.com/seed27ccf144/mlog/reader"
	"github.com/seed27ccf144/mlog/segment"
	"github.com/seed27ccf144/mlog/writer"
)

func openControl(t *testing.T, dir layout.Dir) *control.Control {
	t.Helper()
	ctl, err := control.Open(dir.Control(), readMeta(t, dir).LogID, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ctl.Close() })
	return ctl
}

// state tells what the words in the files say at one instant: who holds the lock,
// which segment is active, and of each segment how many of its records are
// committed, how many are before the cached tail, and whether it has an end marker.
func state(t *testing.T, dir layout.Dir) string {
	t.Helper()
	ctl := openControl(t, dir)
	var b strings.Builder
	fmt.Fprintf(&b, "lock %d, active %d;", ctl.Lock.Owner(), ctl.Active.Load())
	bases, err := dir.Segments()
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range bases {
		s := logtest.MapSegment(t, dir, base)
		newest := int64(0)
		scan := s.Scan(segment.Cursor{Position: segment.HeaderBytes}, func(f *segment.Frame) { newest = f.Time })
		fmt.Fprintf(&b, " %d: %d committed, tail %d", base, scan.End.Count, s.Tail().Count)
		if scan.Sealed {
			b.WriteString(", sealed")
		}
		if s.LastTime() < newest {
			b.WriteString(", its last time is older than a record")
		}
	}
	return b.String()
}

// The order of an append's stores, seen from another process while the one that
// stores hangs. Each is what a death there leaves to the next producer: a tail
// that never is ahead of what is committed, a name before the marker that leads
// to it, a marker before the active word.
func TestOrderOfStores(t *testing.T) {
	const rolled = "0: 2 committed, tail 2, sealed 2: "
	for _, test := range []struct {
		stage string
		rolls bool
		want  string
	}{
		{"locked", false, "lock 2, active 0; 0: 2 committed, tail 2"},
		{"staged", false, "lock 2, active 0; 0: 2 committed, tail 2"},
		{"committed", false, "lock 2, active 0; 0: 4 committed, tail 2"},
		{"released", false, "lock 0, active 0; 0: 4 committed, tail 4"},
		{"locked", true, "lock 2, active 0; 0: 2 committed, tail 2"},
		{"named", true, "lock 2, active 0; 0: 2 committed, tail 2 2: 0 committed, tail 0"},
		{"sealed", true, "lock 2, active 0; " + rolled + "0 committed, tail 0"},
		{"staged", true, "lock 2, active 2; " + rolled + "0 committed, tail 0"},
		{"committed", true, "lock 2, active 2; " + rolled + "2 committed, tail 0"},
		{"released", true, "lock 0, active 2; " + rolled + "2 committed, tail 2"},
	} {
		t.Run(fmt.Sprintf("%s rolls=%v", test.stage, test.rolls), func(t *testing.T) {
			text := func(s string) string { return s }
			if test.rolls {
				text = big
			}
			dir := newLog(t)
			w := openWriter(t, dir)
			mustAppend(t, w, text("a"))
			mustAppend(t, w, text("b"))
			c := startChild(t, nil, "hold", string(dir), test.stage, "hang", text("c"), text("d"))
			c.expect("held")
			if got := state(t, dir); got != test.want {
				t.Errorf("the files say\n\t%s\nwant\n\t%s", got, test.want)
			}
		})
	}
}

// A roll was cut short when the new segment had its name and the old one no end
// marker. A record that would still fit the old one must not go there: the offset
// it would get is the new segment's name, by which readers look for it.
func TestSmallRecordAfterDeathAtNamed(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	want := []string{big("a"), big("b")}
	for _, v := range want {
		mustAppend(t, w, v)
	}
	c := startChild(t, nil, "hold", string(dir), "named", "hang", big("c"), big("d"))
	c.expect("held")
	c.kill()
	check := func() {
		t.Helper()
		if got := readAll(t, dir); !slices.Equal(got, want) {
			t.Fatalf("log holds %s, want %s", brief(got), brief(want))
		}
		if got := readOne(t, dir, 2); got != "small" {
			t.Fatalf("offset 2 holds %.20q, want the small record", got)
		}
	}
	appendOne := func(v string) {
		mustAppend(t, w, v)
		want = append(want, v)
		check()
	}
	appendOne("small")
	for range 6 { // through two rolls
		appendOne(big("x"))
	}
	if bases, err := dir.Segments(); err != nil || !slices.Equal(bases, []int64{0, 2, 6}) {
		t.Errorf("segments %v (%v)", bases, err)
	}
}

func readOne(t *testing.T, dir layout.Dir, offset int64) string {
	t.Helper()
	src, err := reader.NewSource(dir, readMeta(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := reader.NewReader(src, reader.Options{From: offset, Until: reader.Unbounded})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec segment.Record
	if ok, err := r.TryNext(&rec); !ok || err != nil {
		t.Fatalf("offset %d: no record, error %v", offset, err)
	}
	return string(rec.Value)
}

// wakeSequence returns the word that consumers sleep on: it moves when they are
// woken.
func wakeSequence(t *testing.T, dir layout.Dir) uint32 {
	t.Helper()
	data, err := os.ReadFile(dir.Wake())
	if err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint32(data)
}

// The dead producer may have lowered the consumers' flag and not come to the wake.
// So a repair wakes them although the flag is down, whoever does it.
func TestRepairWakesConsumers(t *testing.T) {
	for _, stage := range []string{"locked", "staged", "committed", "named", "sealed"} {
		for _, inherited := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s inherited=%v", stage, inherited), func(t *testing.T) {
				text := func(s string) string { return s }
				if stage == "named" || stage == "sealed" {
					text = big
				}
				dir := newLog(t)
				w := openWriter(t, dir)
				mustAppend(t, w, text("a"))
				mustAppend(t, w, text("b"))
				c := startChild(t, nil, "hold", string(dir), stage, "hang", text("c"), text("d"))
				c.expect("held")
				before := wakeSequence(t, dir) // nobody sleeps, so nothing else moves it
				if inherited {
					w.Close() // which leaves slot 1 free
					c.kill()
					openWriter(t, dir)
					if slot := writer.Slot(openWriter(t, dir)); slot != 2 {
						t.Fatalf("the new producer has slot %d and not the dead one's, so this tests something else", slot)
					}
				} else {
					c.kill()
					mustAppend(t, w, "e")
				}
				if wakeSequence(t, dir) == before {
					t.Error("consumers that slept through the death were not woken")
				}
			})
		}
	}
}

// The clock was ahead when the last records were appended, and is no more. The
// death of a producer changes nothing about that.
func TestTimesDoNotRunBackwardsAfterDeath(t *testing.T) {
	for _, d := range deaths {
		t.Run(fmt.Sprintf("%s rolls=%v", d.stage, d.rolls), func(t *testing.T) {
			text := func(s string) string { return s }
			if d.rolls {
				text = big
			}
			dir := newLog(t)
			w := openWriter(t, dir)
			mustAppend(t, w, text("a"))
			writer.SetClockAhead(w, time.Now().Add(time.Hour).UnixNano())
			mustAppend(t, w, text("b"))
			c := startChild(t, nil, "hold", string(dir), d.stage, "hang", text("c"), text("d"))
			c.expect("held")
			c.kill()
			for range 4 {
				mustAppend(t, w, text("e"))
			}
			readAll(t, dir) // looks at the times
		})
	}
}

var _ = addRole("hold-sync", holdSyncRole)

// holdSyncRole (DIR RECORD) appends the record and syncs. When it comes to the
// disk it says "held" and hangs until it is told a line, and then says "done".
func holdSyncRole(args []string) error {
	dir := layout.Dir(args[0])
	meta, err := dir.ReadMeta()
	if err != nil {
		return err
	}
	var held atomic.Bool
	w, _, err := writer.OpenWatched(context.Background(), dir, meta, writer.Options{Logger: slog.New(slog.DiscardHandler)},
		func(_ string, sync func() error) error {
			if !held.Swap(true) {
				fmt.Println("held")
				bufio.NewScanner(os.Stdin).Scan()
			}
			return sync()
		})
	if err != nil {
		return err
	}
	base, err := w.Append(context.Background(), values(args[1]))
	if err == nil {
		err = w.Sync(context.Background(), base+1)
	}
	if err = errors.Join(err, w.Close()); err == nil {
		fmt.Println("done")
	}
	return err
}

// mustSync appends and syncs, within a time that only a sync that waits for ever
// would miss.
func mustSync(t *testing.T, w *writer.Writer, text string) {
	t.Helper()
	base := mustAppend(t, w, text)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := w.Sync(ctx, base+1); err != nil {
		t.Fatal(err)
	}
}

// A process that stops, or dies, while it syncs for all keeps nobody else from
// making records durable, and leaves nothing behind that would delay them.
func TestSyncingProcessComesToNoEnd(t *testing.T) {
	hold := func(t *testing.T) (layout.Dir, *writer.Writer, *child, *control.Control) {
		dir := newLog(t)
		w := openWriter(t, dir)
		mustSync(t, w, "a")
		c := startChild(t, nil, "hold-sync", string(dir), "b")
		c.expect("held")
		ctl := openControl(t, dir)
		if owner := ctl.SyncLock.Owner(); owner != 2 {
			t.Fatalf("slot %d holds the sync lock, so this tests something else", owner)
		}
		return dir, w, c, ctl
	}
	wantDurable := func(t *testing.T, dir layout.Dir, want ...string) {
		t.Helper()
		if got := readAll(t, dir); !slices.Equal(got, want) {
			t.Errorf("log holds %q, want %q", got, want)
		}
		if got := durableOffset(t, dir); got != int64(len(want)) {
			t.Errorf("the durable offset is %d, want %d", got, len(want))
		}
	}
	wantFree := func(t *testing.T, ctl *control.Control) {
		t.Helper()
		if owner := ctl.SyncLock.Owner(); owner != 0 {
			t.Errorf("slot %d still holds the sync lock", owner)
		}
	}

	t.Run("stopped", func(t *testing.T) {
		dir, w, c, ctl := hold(t)
		c.signal(syscall.SIGSTOP)
		waitUntilStopped(t, c)
		mustSync(t, w, "c")
		wantDurable(t, dir, "a", "b", "c")
		if owner := ctl.SyncLock.Owner(); owner != 2 {
			t.Errorf("the lock of a living process went to slot %d", owner)
		}
		// It goes on, late: the marks stay where they are.
		c.tell("go on")
		c.signal(syscall.SIGCONT)
		c.expect("done")
		wantDurable(t, dir, "a", "b", "c")
		wantFree(t, ctl)
	})
	t.Run("killed", func(t *testing.T) {
		dir, w, c, ctl := hold(t)
		c.kill()
		mustSync(t, w, "c")
		wantDurable(t, dir, "a", "b", "c")
		wantFree(t, ctl)
	})
	t.Run("killed, and its slot inherited", func(t *testing.T) {
		dir, _, c, ctl := hold(t)
		c.kill()
		w := openWriter(t, dir)
		if slot := writer.Slot(w); slot != 2 {
			t.Fatalf("the new producer has slot %d and not the dead one's, so this tests something else", slot)
		}
		wantFree(t, ctl) // else all would wait for it in vain, at each sync
		mustSync(t, w, "c")
		wantDurable(t, dir, "a", "b", "c")
		wantFree(t, ctl)
	})
}
