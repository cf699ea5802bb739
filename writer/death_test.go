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

// big is a record of which three fit the smallest segment and the fourth rolls.
func big(name string) string { return name + strings.Repeat(".", 20_000) }

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

func TestProducerKilledWhileItHoldsTheLock(t *testing.T) {
	for _, d := range deaths {
		t.Run(fmt.Sprintf("%s rolls=%v", d.stage, d.rolls), func(t *testing.T) {
			dir := newLog(t)
			text := func(s string) string { return s }
			if d.rolls {
				text = big
			}
			w := openWriter(t, dir)
			want := []string{text("a"), text("b")}
			for _, v := range want {
				mustAppend(t, w, v)
			}
			c := startChild(t, nil, "hold", string(dir), d.stage, "hang", text("c"), text("d"))
			c.expect("held")

			appendWithinBound(t, c, func() { mustAppend(t, w, text("e")) })
			if d.visible {
				want = append(want, text("c"), text("d"))
			}
			want = append(want, text("e"))
			if got := readAll(t, dir); !slices.Equal(got, want) {
				t.Errorf("log holds %s, want %s", brief(got), brief(want))
			}
		})
	}
}

// appendWithinBound kills the holder and checks that the append that follows ends
// within the bound.
func appendWithinBound(t *testing.T, holder *child, doAppend func()) {
	t.Helper()
	killed := time.Now()
	holder.signal(syscall.SIGKILL)
	doAppend()
	took := time.Since(killed)
	t.Logf("the next append ended %v after the kill", took)
	if took > takeOverBound {
		t.Errorf("that is more than %v", takeOverBound)
	}
}

// The kernel frees a dead process's file locks only after it has torn down its
// mappings, so what it had mapped counts.
func TestTakeOverFromProducerWithDefaultSegmentMapped(t *testing.T) {
	dir := newLogWith(t, layout.Settings{SegmentBytes: 64 << 20, Mode: 0o600})
	w := openWriter(t, dir)
	mustAppend(t, w, strings.Repeat("x", 50<<20))
	c := startChild(t, nil, "hold", string(dir), "staged", "hang", strings.Repeat("y", 100_000))
	c.expect("held")
	appendWithinBound(t, c, func() { mustAppend(t, w, "next") })
}

// brief shortens the texts of big for a message.
func brief(texts []string) string {
	short := make([]string, len(texts))
	for i, s := range texts {
		short[i] = strings.TrimRight(s, ".")
	}
	return fmt.Sprintf("%d %q", len(short), short)
}

// Nobody is there to take the lock over: whoever opens the log next and is given
// the dead one's slot finds the lock to be its own.
func TestNextProducerInheritsTheSlotOfADeadHolder(t *testing.T) {
	for _, d := range deaths {
		t.Run(fmt.Sprintf("%s rolls=%v", d.stage, d.rolls), func(t *testing.T) {
			dir := newLog(t)
			text := func(s string) string { return s }
			if d.rolls {
				text = big
			}
			w := openWriter(t, dir)
			mustAppend(t, w, text("a"))
			mustAppend(t, w, text("b"))
			w.Close()
			c := startChild(t, nil, "hold", string(dir), d.stage, "hang", text("c"), text("d"))
			c.expect("held")
			c.kill()

			w = openWriter(t, dir)
			if slot := writer.Slot(w); slot != 1 {
				t.Fatalf("the new producer has slot %d, so this tests something else", slot)
			}
			mustAppend(t, w, text("e"))
			want := []string{text("a"), text("b"), text("e")}
			if d.visible {
				want = []string{text("a"), text("b"), text("c"), text("d"), text("e")}
			}
			if got := readAll(t, dir); !slices.Equal(got, want) {
				t.Errorf("log holds %s, want %s", brief(got), brief(want))
			}
		})
	}
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
	holder := startChild(t, newPIDNamespace(), "hold", string(dir), "staged", "hang", "never seen")
	holder.expect("held")

	appendWithinBound(t, holder, func() {
		other.tell("after the death")
		other.expect("ok")
	})
	if got, want := readAll(t, dir), []string{"after the death"}; !slices.Equal(got, want) {
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
