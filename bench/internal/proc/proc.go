// Package proc runs the processes that are measured: copies of one program, each
// of which takes a task a line on its stdin and answers with a line on its stdout.
// The program that plans and prints stays out of what is measured.
package proc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// Role is the environment variable that makes a copy of the program a worker.
const Role = "MLOG_BENCH_ROLE"

// A Worker is a process that waits for tasks.
type Worker struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// Start runs program as a worker. If cpus is not empty, all threads of the process
// stay on these; Go's runtime there then takes that for all the cores there are,
// as it does below taskset(1).
func Start(program string, cpus []int) (*Worker, error) {
	w := &Worker{cmd: exec.Command(program)}
	w.cmd.Env = append(os.Environ(), Role+"=worker")
	w.cmd.Stderr = &w.stderr
	in, err := w.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.in, w.out = in, bufio.NewReader(out)
	if err := pinned(cpus, w.cmd.Start); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	return w, nil
}

// pinned calls f on a thread that may run on these cores only, which a process
// that it starts inherits.
func pinned(cpus []int, f func() error) error {
	if len(cpus) == 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	err := f()
	return errors.Join(err, unix.SchedSetaffinity(0, &before))
}

// CPUs returns the cores that this process may use.
func CPUs() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	var cpus []int
	for c := range len(set) * 64 {
		if set.IsSet(c) {
			cpus = append(cpus, c)
		}
	}
	return cpus
}

// Pid returns the worker's process id.
func (w *Worker) Pid() int { return w.cmd.Process.Pid }

// Send hands the worker a task, without waiting.
func (w *Worker) Send(task any) error { return json.NewEncoder(w.in).Encode(task) }

// Receive waits for the answer to the oldest task that has none yet.
func (w *Worker) Receive(reply any) error {
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the worker has gone: %s", strings.TrimSpace(lastLines(w.stderr.String(), 5)))
	}
	var failure struct{ Failed string }
	if err := json.Unmarshal(line, &failure); err != nil {
		return err
	}
	if failure.Failed != "" {
		return errors.New(failure.Failed)
	}
	return json.Unmarshal(line, reply)
}

// Kill ends the worker at once, as kill -9 does, and waits until it is gone.
func (w *Worker) Kill() {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

// Close lets the worker end by itself, and kills it if that takes too long.
func (w *Worker) Close() {
	_ = w.in.Close()
	timer := time.AfterFunc(10*time.Second, func() { _ = w.cmd.Process.Kill() })
	defer timer.Stop()
	_ = w.cmd.Wait()
}

// Serve is what a worker does until its stdin ends: each task gets an answer, or
// an error instead.
func Serve[Task any](in io.Reader, out io.Writer, do func(Task) (any, error)) error {
	tasks, replies := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var task Task
		if err := tasks.Decode(&task); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		reply, err := do(task)
		if err != nil {
			reply = struct{ Failed string }{err.Error()}
		}
		if err := replies.Encode(reply); err != nil {
			return err
		}
	}
}

// Until waits for a moment of the common clock, so that processes that were told
// the same one begin together. It sleeps at first and spins at last.
func Until(at int64) {
	if rest := time.Duration(at-shm.Now()) - 200*time.Microsecond; rest > 0 {
		time.Sleep(rest)
	}
	for shm.Now() < at {
	}
}

// An Account is what a process has used up so far, in all its threads.
type Account struct {
	CPU      time.Duration // user and system time
	Switches int64         // voluntary context switches: how often it went to sleep
}

// Own returns the account of this process.
func Own() (Account, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return Account{}, err
	}
	return Account{CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano()), Switches: u.Nvcsw}, nil
}

// AccountOf returns that of another process, from /proc.
func AccountOf(pid int) (a Account, err error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return a, err
	}
	for _, task := range tasks {
		dir := fmt.Sprintf("/proc/%d/task/%s/", pid, task.Name())
		status, err := os.ReadFile(dir + "status")
		if err != nil {
			return a, err
		}
		_, count, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
		switches, err := firstNumber(count)
		if err != nil {
			return a, err
		}
		a.Switches += switches
		stat, err := os.ReadFile(dir + "schedstat") // nanoseconds on a core come first
		if err != nil {
			return a, err
		}
		ns, err := firstNumber(string(stat))
		if err != nil {
			return a, err
		}
		a.CPU += time.Duration(ns)
	}
	return a, nil
}

func firstNumber(s string) (int64, error) {
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return 0, errors.New("no number in a file of /proc")
	}
	return strconv.ParseInt(fields[0], 10, 64)
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// Pipe makes a FIFO at path, which is a pipe that unrelated processes can open.
func Pipe(path string) error { return syscall.Mkfifo(path, 0o600) }
