//go:build unix

package storm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

const jobVariable = "MLOG_STORM_JOB"

// A job is what a process of the fleet does.
type job struct {
	Role    string
	ID      uint32 // of the process; never given to another one of the same log
	Nonce   uint64 // of the log
	Seed    uint64 // of the process
	Dir     string
	Report  string
	Options mlog.Options
	Groups  int // of consumers, that there are to choose from
	Least   int64
	Trims   bool
}

// A process is one of the fleet. It is told to leave by the end of its input.
type process struct {
	job
	cmd   *exec.Cmd
	in    io.Closer
	ended chan struct{} // closed when it was waited for
	err   error         // how it ended; after ended

	killed time.Time // zero: it was not
	told   time.Time // to leave; zero: it was not
	stops  []interval
}

type interval struct{ from, to time.Time }

func start(j job) (*process, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	stderr, err := os.Create(j.Report + ".err")
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text), "GOTRACEBACK=all")
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{job: j, cmd: cmd, in: in, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) isLive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) stop() {
	from := time.Now()
	if p.cmd.Process.Signal(syscall.SIGSTOP) == nil {
		p.stops = append(p.stops, interval{from: from})
	}
}

func (p *process) resume() {
	if p.isLive() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		p.resumed(time.Now())
	}
}

// resumed notes that the process, if it was stopped, is no longer: it goes on, or
// was killed.
func (p *process) resumed(at time.Time) {
	for i := range p.stops {
		if p.stops[i].to.IsZero() {
			p.stops[i].to = at
		}
	}
}

// patience ends a run that hangs. It says nothing about how long anything takes.
const patience = 2 * time.Minute

// leave waits for a process that was told to leave.
func (p *process) leave() error {
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it says where it hangs
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return fmt.Errorf("%s did not come to an end", p)
}

func (p *process) String() string { return fmt.Sprintf("process %d (%s)", p.ID, p.Role) }

// complaint is what a process that was not killed said when it failed.
func (p *process) complaint() error {
	if !p.killed.IsZero() || p.err == nil {
		return nil
	}
	said, _ := os.ReadFile(p.Report + ".err")
	return fmt.Errorf("%s: %w: %s", p, p.err, said)
}

// work runs a job in a process of the fleet.
func work(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	r, err := openReport(j.Report)
	if err != nil {
		return err
	}
	stay, leave := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		leave()
	}()
	role, ok := roles[j.Role]
	if !ok {
		return fmt.Errorf("no role %q", j.Role)
	}
	return role(stay, j, r)
}
