//go:build amd64 || arm64

package step

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A tracee is a child process that is stopped at an instruction. One of its
// threads runs, when told to, and does everything that the operation needs:
// with GOMAXPROCS=1 the goroutines of the child take turns on it, the background
// ones included. All other threads are held in the system call that they slept
// in. So the child is a sequential machine, and the same k leads to the same
// instruction each time.
//
// The system allows only the thread that started a tracee to move it, so its
// methods are for one goroutine that is locked to its thread.
type tracee struct {
	cmd      *exec.Cmd
	tid      int    // of the thread that runs
	held     []int  // the others
	ended    bool   // the operation returned
	broke    uint64 // address of the breakpoint that it is at
	watchdog *time.Timer
	stalled  atomic.Bool
}

const (
	holdSignal  = unix.SIGSTOP // the child raises it when its other threads are to be held,
	beginSignal = unix.SIGUSR2 // this one before the operation,
	endSignal   = unix.SIGUSR1 // and this one after
	stallBound  = 10 * time.Second
)

// errStalled says that a step took for ever: it waited for a thread that is held.
var errStalled = errors.New("the child waits for one of its threads that are held")

// errForbidden says that this machine does not let us trace.
var errForbidden = errors.New("ptrace is not permitted here")

// startTracee starts a child that plays a part and returns when it is about to
// begin the operation.
func startTracee(part, dir string) (*tracee, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), partVariable+"="+part, dirVariable+"="+dir,
		"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := &tracee{cmd: cmd}
	t.watchdog = time.AfterFunc(stallBound, t.giveUp)
	if err := t.attach(out); err != nil {
		t.kill()
		t.reap()
		if t.stalled.Load() {
			err = errStalled
		}
		return nil, fmt.Errorf("part %s: %w", part, err)
	}
	return t, nil
}

// giveUp kills a child that does not come on. The tracer may be waiting for its first
// thread, of whose death the system tells only when the others are removed.
func (t *tracee) giveUp() {
	t.stalled.Store(true)
	threads, _ := t.threads()
	_ = t.cmd.Process.Kill()
	for _, tid := range threads {
		if tid != t.cmd.Process.Pid {
			waitForDeath(tid)
		}
	}
}

// threads returns the ids of the child's threads.
func (t *tracee) threads() ([]int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", t.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	var tids []int
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, err
		}
		tids = append(tids, tid)
	}
	return tids, nil
}

// waitForDeath waits until a thread that was killed is dead, and removes it.
func waitForDeath(tid int) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(tid, &status, unix.WALL, nil)
		if !errors.Is(err, unix.EINTR) && (err != nil || !status.Stopped()) {
			return
		}
	}
}

func (t *tracee) attach(out io.Reader) error {
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the child said nothing: %w", err)
	}
	word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	switch word {
	case "thread":
	case "forbidden":
		return fmt.Errorf("%w: %s", errForbidden, rest)
	default:
		return fmt.Errorf("the child said %q", line)
	}
	if t.tid, err = strconv.Atoi(rest); err != nil {
		return err
	}
	if s, err := t.wait(t.tid); err != nil || s != holdSignal {
		return fmt.Errorf("%v where the child should stop itself: %w", s, err)
	}
	if err := unix.PtraceSetOptions(t.tid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL); err != nil {
		return fmt.Errorf("ptrace options: %w", err)
	}
	if err := t.hold(); err != nil {
		return err
	}
	_, err = t.move(resume, beginSignal)
	return err
}

func resume(tid int) error { return unix.PtraceCont(tid, 0) }

// hold stops all threads but the one, until there is none that runs.
func (t *tracee) hold() error {
	seen := map[int]bool{t.tid: true}
	for {
		tids, err := t.threads()
		if err != nil {
			return err
		}
		more := false
		for _, tid := range tids {
			if seen[tid] {
				continue
			}
			seen[tid], more = true, true
			if err := unix.PtraceSeize(tid); err != nil {
				return fmt.Errorf("%w: %w", errForbidden, err)
			}
			t.held = append(t.held, tid)
			if err := unix.PtraceInterrupt(tid); err != nil {
				return err
			}
			if _, err := t.wait(tid); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// wait returns the signal that a thread stopped with.
func (t *tracee) wait(tid int) (unix.Signal, error) {
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(tid, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case t.stalled.Load():
			return 0, errStalled
		case err != nil:
			return 0, fmt.Errorf("wait for thread %d: %w", tid, err)
		case !status.Stopped():
			return 0, fmt.Errorf("the child died by itself: %#x", status)
		default:
			return status.StopSignal(), nil
		}
	}
}

const syscallStop = unix.SIGTRAP | 0x80

// move resumes the thread, and reports whether it stopped as it should or, false,
// at the end of the operation.
func (t *tracee) move(request func(tid int) error, stop unix.Signal) (bool, error) {
	for {
		if err := request(t.tid); err != nil && !t.stalled.Load() {
			return false, fmt.Errorf("resume: %w", err)
		}
		switch s, err := t.wait(t.tid); {
		case err != nil:
			return false, err
		case s == stop:
			return true, nil
		case s == endSignal:
			t.ended = true
			return false, nil
		case s != unix.SIGURG: // which asks a goroutine to make room for another
			return false, fmt.Errorf("unexpected %v", s)
		}
	}
}

// kill sends SIGKILL. What the process held is freed soon after; reap removes
// what is left of it.
func (t *tracee) kill() { _ = t.cmd.Process.Kill() }

func (t *tracee) reap() {
	t.watchdog.Stop()
	for _, tid := range append(t.held, t.tid) {
		if tid != 0 && tid != t.cmd.Process.Pid {
			waitForDeath(tid)
		}
	}
	_ = t.cmd.Wait() // it was killed, which is no news
}
