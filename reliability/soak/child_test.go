//go:build linux

package soak

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const jobVariable = "MLOG_SOAK_JOB"

// A process is a child of this one. It ends when its input does.
type process struct {
	job
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string   // what it says
	ended chan struct{} // closed when it was waited for
	err   error         // how it ended; after ended
}

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
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{job: j, cmd: cmd, in: in, lines: make(chan string, 1024), ended: make(chan struct{})}
	go func() {
		for said := bufio.NewScanner(out); said.Scan(); {
			p.lines <- said.Text()
		}
		close(p.lines)
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// tell says a line to it.
func (p *process) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(p.in, format+"\n", args...)
	return err
}

// expect returns what follows the word in its next line.
func (p *process) expect(word string) (string, error) {
	select {
	case line, ok := <-p.lines:
		first, rest, _ := strings.Cut(line, " ")
		if ok && first == word {
			return rest, nil
		}
		return "", errors.Join(fmt.Errorf("%s said %q where %q is due", p, line, word), p.quit())
	case <-time.After(patience):
		return "", errors.Join(fmt.Errorf("%s did not say %q", p, word), p.quit())
	}
}

// ask tells it a line and returns its answer.
func (p *process) ask(word, format string, args ...any) (string, error) {
	if err := p.tell(format, args...); err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", p, err), p.quit())
	}
	return p.expect(word)
}

// leave has it end in good order.
func (p *process) leave() error {
	p.in.Close()
	select {
	case <-p.ended:
		return p.complaint()
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s did not come to an end", p), p.quit())
	}
}

// kill kills it and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	p.in.Close()
}

// quit ends it, having it say where it was.
func (p *process) quit() error {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.kill()
	}
	return p.complaint()
}

// complaint is what it said when it failed.
func (p *process) complaint() error {
	if p.err == nil {
		return nil
	}
	said, _ := os.ReadFile(p.Report + ".err")
	return fmt.Errorf("%s: %w: %s", p, p.err, said)
}

func (p *process) String() string { return fmt.Sprintf("process %d (%s)", p.ID, p.Role) }

func (p *process) removeFiles() {
	_ = os.Remove(p.Report)
	_ = os.Remove(p.Report + ".err")
}

// runJob does a job in a child.
func runJob(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	r, err := openReport(j.Report)
	if err != nil {
		return err
	}
	if j.Role == victimRole {
		return beVictim(j, r.add)
	}
	return beTenant(j, r.add)
}
