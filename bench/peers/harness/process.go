package harness

import (
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
)

// startProcesses starts this program again for each role, with the same arguments. Stop ends what still runs, and
// returns when it has ended; it must be called in any case.
func (m *session) startProcesses(parts []part, events chan<- event) (stop func(), err error) {
	var running []*exec.Cmd
	var done []chan struct{}
	stop = func() {
		for i, cmd := range running {
			select {
			case <-done[i]:
			case <-time.After(100 * time.Millisecond): // for those that are at their end
				_ = cmd.Process.Kill()
				<-done[i]
			}
		}
	}
	for i, which := range parts {
		cmd, status, err := m.startProcess(which)
		if err != nil {
			return stop, fmt.Errorf("start %v: %w", which, err)
		}
		ended := make(chan struct{})
		running, done = append(running, cmd), append(done, ended)
		go func() {
			defer close(ended)
			final := relay(status, i, events)
			status.Close()
			if err := cmd.Wait(); !final {
				events <- event{index: i, err: errors.Join(errors.New("it ended without a report"), err)}
			}
		}()
	}
	return stop, nil
}

// relay passes on the reports of a role until its end, and says whether the final one was there.
func relay(status io.Reader, index int, events chan<- event) (final bool) {
	for dec := json.NewDecoder(status); ; {
		var rep report
		if dec.Decode(&rep) != nil {
			return final
		}
		final = final || !rep.Ready
		events <- event{index: index, report: rep}
	}
}

func (m *session) startProcess(which part) (*exec.Cmd, *os.File, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	cmd := exec.Command(self, m.args...)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = append([]*os.File{m.file, w}, m.env.Files...)
	cmd.Env = append(os.Environ(), roleVar+"="+which.String(), filesVar+"="+strconv.Itoa(len(m.env.Files)))
	for k, v := range m.env.vars {
		cmd.Env = append(cmd.Env, varPrefix+k+"="+v)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := pinned(m.env.Pin, which.kind, cmd.Start); err != nil {
		r.Close()
		return nil, nil, err
	}
	return cmd, r, nil
}

// pinned calls start with the calling thread on the core of a kind of role; what start begins inherits that.
func pinned(pin, kind string, start func() error) error {
	if pin == PinNone {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	if err := pinThread(pin, kind); err != nil {
		return err
	}
	return start()
}

// pinThread puts the calling thread on the core of a kind of role. The goroutine must be locked to it.
func pinThread(pin, kind string) error {
	if pin == PinNone {
		return nil
	}
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return err
	}
	var cores []int
	for i := 0; len(cores) < allowed.Count(); i++ {
		if allowed.IsSet(i) {
			cores = append(cores, i)
		}
	}
	core := cores[0]
	if pin == PinApart && kind == consumerKind {
		if len(cores) < 2 {
			return Skip("one core only: producer and consumer cannot be apart")
		}
		core = cores[1]
	}
	one.Set(core)
	return unix.SchedSetaffinity(0, &one)
}

// serverTime returns the seconds of CPU that the servers have used so far, by clock ticks of 10 ms.
func (m *session) serverTime() float64 {
	var ticks float64
	for _, pid := range m.env.servers {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold spaces
		if f := strings.Fields(rest); len(f) > 12 {
			user, _ := strconv.ParseFloat(f[11], 64)
			system, _ := strconv.ParseFloat(f[12], 64)
			ticks += user + system
		}
	}
	return ticks / 100
}
