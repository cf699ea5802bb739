//go:build unix

package writer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/writer"
)

// takeOverBound is the issue's: after a producer is killed while it holds the
// lock, another one's append must succeed within this time.
const takeOverBound = 50 * time.Millisecond

// Each row kills a producer at one stage of appending the batch {c, d}, after a
// and b. What was committed is there, what was not is nowhere.
var deaths = []struct {
	stage   string
	rolls   bool
	visible bool
}{
	{"locked", false, false},
	{"staged", false, false},
	{"committed", false, true},
	{"released", false, true},
	{"named", true, false},
	{"sealed", true, false},
	{"staged", true, false},
	{"committed", true, true},
}

// A deathLog is a log in which a and b are, and a child that hangs at a stage of
// appending the batch {c, d}.
type deathLog struct {
	dir    layout.Dir
	writer *writer.Writer // that appended a and b
	holder *child
	e      string   // what is to be appended after the death
	want   []string // what the log must hold then
}

func forEachDeath(t *testing.T, test func(t *testing.T, l deathLog)) {
	for _, d := range deaths {
		t.Run(fmt.Sprintf("%s rolls=%v", d.stage, d.rolls), func(t *testing.T) {
			text := func(s string) string { return s }
			if d.rolls {
				text = big
			}
			l := deathLog{dir: newLog(t), e: text("e"), want: []string{text("a"), text("b")}}
			l.writer = openWriter(t, l.dir)
			for _, v := range l.want {
				mustAppend(t, l.writer, v)
			}
			l.holder = startChild(t, nil, "hold", string(l.dir), d.stage, "hang", text("c"), text("d"))
			l.holder.expect("held")
			if d.visible {
				l.want = append(l.want, text("c"), text("d"))
			}
			l.want = append(l.want, l.e)
			test(t, l)
			if got := readAll(t, l.dir); !slices.Equal(got, l.want) {
				t.Errorf("log holds %s, want %s", brief(got), brief(l.want))
			}
		})
	}
}

func TestProducerKilledWhileItHoldsTheLock(t *testing.T) {
	var slow []string
	forEachDeath(t, func(t *testing.T, l deathLog) {
		if took := timeToAppend(t, l.holder, func() { mustAppend(t, l.writer, l.e) }); took > takeOverBound {
			slow = append(slow, fmt.Sprintf("%s: %v", t.Name(), took))
		}
	})
	// A machine with other work may keep any of us waiting for a processor; what
	// the log itself takes, it takes each time.
	if len(slow) > len(deaths)/2 {
		t.Errorf("appends after the kill took longer than %v: %s", takeOverBound, strings.Join(slow, ", "))
	}
}

// Nobody is there to take the lock over: whoever opens the log next and is given
// the dead one's slot finds the lock to be its own.
func TestNextProducerInheritsTheSlotOfADeadHolder(t *testing.T) {
	forEachDeath(t, func(t *testing.T, l deathLog) {
		l.writer.Close() // which leaves slot 1 free
		l.holder.kill()
		openWriter(t, l.dir)
		w := openWriter(t, l.dir)
		if slot := writer.Slot(w); slot != 2 {
			t.Fatalf("the new producer has slot %d and not the dead one's, so this tests something else", slot)
		}
		mustAppend(t, w, l.e)
	})
}

// timeToAppend kills the holder and returns how long after that the append ended.
func timeToAppend(t *testing.T, holder *child, doAppend func()) time.Duration {
	t.Helper()
	killed := time.Now()
	holder.signal(syscall.SIGKILL)
	doAppend()
	took := time.Since(killed)
	t.Logf("the next append ended %v after the kill", took)
	return took
}

// wantWithinBound measures some times until one is within the bound: see
// TestProducerKilledWhileItHoldsTheLock.
func wantWithinBound(t *testing.T, measure func() time.Duration) {
	t.Helper()
	const attempts = 5
	for range attempts {
		if measure() <= takeOverBound {
			return
		}
	}
	t.Errorf("%d times in a row the append ended later than %v after the kill", attempts, takeOverBound)
}

// The kernel frees a dead process's file locks only after it has torn down its
// mappings, so what it had mapped counts.
func TestTakeOverFromProducerWithDefaultSegmentMapped(t *testing.T) {
	dir := newLogWith(t, layout.Settings{SegmentBytes: 64 << 20, Mode: 0o600})
	w := openWriter(t, dir)
	mustAppend(t, w, strings.Repeat("x", 50<<20))
	wantWithinBound(t, func() time.Duration {
		c := startChild(t, nil, "hold", string(dir), "staged", "hang", strings.Repeat("y", 100_000))
		c.expect("held")
		return timeToAppend(t, c, func() { mustAppend(t, w, "next") })
	})
}

func TestProducersInTwoPIDNamespaces(t *testing.T) {
	attr := newPIDNamespace()
	if attr == nil {
		t.Skip("PID namespaces are Linux's")
	}
	dir := newLog(t)
	other, err := tryStartChild(t, attr, "append", string(dir))
	if err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) {
			t.Skipf("a process in a new PID namespace is not permitted here: %v", err)
		}
		t.Fatal(err)
	}
	other.expect("ready")
	var want []string
	wantWithinBound(t, func() time.Duration {
		holder := startChild(t, newPIDNamespace(), "hold", string(dir), "staged", "hang", "never seen")
		holder.expect("held")
		want = append(want, "after the death")
		return timeToAppend(t, holder, func() {
			other.tell("after the death")
			other.expect("ok")
		})
	})
	if got := readAll(t, dir); !slices.Equal(got, want) {
		t.Errorf("log holds %q, want %q", got, want)
	}
}

func TestStoppedHolderBlocksProducersButLosesNothing(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	mustAppend(t, w, "a")
	c := startChild(t, nil, "hold", string(dir), "staged", "wait", "b", "c")
	c.expect("held")
	c.signal(syscall.SIGSTOP)
	waitUntilStopped(t, c)

	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := w.Append(ctx, values("given up")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("append behind a stopped holder: %v, want the deadline's error", err)
	}
	if got, want := readAll(t, dir), []string{"a"}; !slices.Equal(got, want) {
		t.Errorf("while the holder is stopped a reader sees %q, want %q", got, want)
	}

	appended := make(chan error, 1)
	go func() {
		_, err := w.Append(context.Background(), values("d"))
		appended <- err
	}()
	c.tell("go on")
	c.signal(syscall.SIGCONT)
	c.expect("done")
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
	if got, want := readAll(t, dir), []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("log holds %q, want %q", got, want)
	}
	if n := writer.Takeovers(w).Load(); n != 0 {
		t.Errorf("the lock was taken from a living process %d times", n)
	}
}

// A producer that is waited for may be stopped for ever. Closing does not wait for
// it, and ends the appends that do.
func TestCloseBehindStoppedHolder(t *testing.T) {
	dir := newLog(t)
	w := openWriter(t, dir)
	c := startChild(t, nil, "hold", string(dir), "staged", "wait", "b")
	c.expect("held")
	appended := make(chan error)
	for range 2 { // one that waits for the lock, and one that waits for that one
		go func() {
			_, err := w.Append(context.Background(), values("x"))
			appended <- err
		}()
	}
	for writer.Queued(w) == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-appended; !errors.Is(err, writer.ErrClosed) {
			t.Errorf("an append that waited gave %v", err)
		}
	}
}

// waitUntilStopped waits until the system says that all of the child is stopped,
// which is some time after the signal.
func waitUntilStopped(t *testing.T, c *child) {
	t.Helper()
	if runtime.GOOS != "linux" {
		time.Sleep(100 * time.Millisecond)
		return
	}
	path := fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid)
	for {
		stat, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "T") {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
