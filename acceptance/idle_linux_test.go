package acceptance_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a consumer that waits may cost. A wake-up of the process is counted once
// for every thread that takes part in it: the one that sleeps on the log and
// those of the Go runtime, some four in all.
const (
	switchesPerSecond = 12  // three wake-ups
	switchesWhenBusy  = 100 // with room for what a busy machine adds; polling thirty times a second takes more
	idleCPU           = 20 * time.Millisecond
)

// TestWaitingConsumerIsIdle looks at the kernel's account of a consumer that has
// nothing to do: for a minute and strictly with -full, on a machine that is
// quiet itself; else for three seconds.
//
// On a busy machine the Go runtime's monitor thread now and then finds a thread
// of the process waiting for a core, and counts tens of short sleeps until it
// gets one. So the short test has wider bounds, and may try again: a consumer
// that polls is never quiet.
func TestWaitingConsumerIsIdle(t *testing.T) {
	ctx := newContext(t)
	dir := filepath.Join(t.TempDir(), "log")
	run(t, ctx, strings.NewReader("first\n"), "produce", dir)

	out, lines := newPipe(t)
	p := start(t, ctx, nil, out, "consume", dir)
	out.Close() // the process has its own
	expectLine(t, ctx, p, lines, "first")
	sleep(ctx, time.Second) // to come to rest

	idle, rate, attempts := 3*time.Second, switchesWhenBusy, 5
	if *full {
		idle, rate, attempts = time.Minute, switchesPerSecond, 1
	}
	for attempt := 1; ; attempt++ {
		excess := idleFor(t, ctx, p, idle, rate)
		if excess == "" {
			break
		}
		if hasRaceDetector() {
			t.Logf("%s; not an error under the race detector, whose own threads wake up by the clock", excess)
			break
		}
		if attempt == attempts {
			t.Error(excess)
			break
		}
		t.Logf("%s; another try", excess)
	}

	run(t, ctx, strings.NewReader("second\n"), "produce", dir)
	expectLine(t, ctx, p, lines, "second")
}

// idleFor lets the consumer wait, and says what it used too much of meanwhile.
// The rate is of voluntary context switches a second.
func idleFor(t *testing.T, ctx context.Context, p *process, idle time.Duration, rate int) (excess string) {
	t.Helper()
	before := accountOf(t, p)
	sleep(ctx, idle)
	after := accountOf(t, p)
	switches, cpu := after.switches-before.switches, after.cpu-before.cpu
	t.Logf("%v idle: %d voluntary context switches in %d threads, %v of CPU", idle, switches, after.threads, cpu)
	if most := rate * int(idle.Seconds()); switches > most {
		return fmt.Sprintf("%d voluntary context switches in %v, want at most %d", switches, idle, most)
	}
	if cpu >= idleCPU {
		return fmt.Sprintf("%v of CPU in %v, want less than %v", cpu, idle, idleCPU)
	}
	return ""
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// An account is what a process has used up so far, in all its threads.
type account struct {
	threads  int
	switches int           // voluntary context switches
	cpu      time.Duration // user and system time
}

func accountOf(t *testing.T, p *process) (a account) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	tasks, err := os.ReadDir(proc + "/task")
	if err != nil {
		t.Fatalf("%v (%v)", err, p.failure())
	}
	a.threads = len(tasks)
	exact := true
	for _, task := range tasks {
		dir := filepath.Join(proc, "task", task.Name())
		_, count, _ := bytes.Cut(readProc(t, dir+"/status"), []byte("\nvoluntary_ctxt_switches:"))
		a.switches += number(t, firstField(count))
		text, err := os.ReadFile(dir + "/schedstat") // nanoseconds come first; not every kernel has it
		if err != nil {
			exact = false
			continue
		}
		a.cpu += time.Duration(number(t, firstField(text)))
	}
	if !exact {
		a.cpu = roughCPU(t, readProc(t, proc+"/stat"))
	}
	return a
}

// roughCPU adds up user and system time, fields 14 and 15 of a stat file, in
// hundredths of a second. Field 2 is a name in parentheses, with anything in it.
func roughCPU(t *testing.T, stat []byte) time.Duration {
	t.Helper()
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		t.Fatalf("unknown format: %s", stat)
	}
	return time.Duration(number(t, fields[11])+number(t, fields[12])) * 10 * time.Millisecond
}

func readProc(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func firstField(text []byte) string {
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	first, _, _ = strings.Cut(first, " ")
	return first
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
