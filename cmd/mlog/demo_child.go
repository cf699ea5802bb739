package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A child is a process of the demo: this program, run again as a user would.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	errs  bytes.Buffer
	eof   chan struct{} // closed when its stdout has ended
}

// A stage runs the children in one directory, so that the commands it shows
// are the ones it runs.
type stage struct {
	ctx  context.Context
	exe  string
	dir  string
	mu   sync.Mutex
	list []*child
}

// start runs mlog with these arguments and hands each line of its output on.
func (st *stage) start(name string, line func([]byte), args ...string) (*child, error) {
	c := &child{name: name, cmd: exec.CommandContext(st.ctx, st.exe, args...), eof: make(chan struct{})}
	c.cmd.Args[0] = "mlog"
	c.cmd.Dir = st.dir
	c.cmd.Stderr = &c.errs
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// A pipe of our own: Wait closes the one of StdoutPipe, read or not, and
	// the last lines of a killed process would be gone.
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdout = in
	err = c.cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(c.eof)
		defer out.Close()
		lines := bufio.NewScanner(out)
		lines.Split(wholeLines)
		for lines.Scan() {
			line(lines.Bytes())
		}
	}()
	st.mu.Lock()
	st.list = append(st.list, c)
	st.mu.Unlock()
	return c, nil
}

// wholeLines splits output into lines and drops a last one without its end:
// the process was killed while it printed, and half a number is another number.
func wholeLines(data []byte, _ bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil
}

// wait waits for the end of a child that should end well.
func (c *child) wait() error {
	<-c.eof
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.name, err, strings.TrimSpace(c.errs.String()))
	}
	return nil
}

// kill ends the child as kill -9 does, and waits until it is gone.
func (c *child) kill() error {
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	<-c.eof
	if err := c.cmd.Wait(); err == nil {
		return fmt.Errorf("%s was to be killed, but had ended by itself", c.name)
	}
	return nil
}

// interrupt asks the child to end, as Ctrl-C does.
func (c *child) interrupt() error {
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return c.kill() // a system without signals
	}
	return c.wait()
}

// run runs a child to its end, with this input.
func (st *stage) run(input string, line func([]byte), args ...string) error {
	c, err := st.start("mlog "+args[0], line, args...)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c.stdin, input); err != nil && !readerGone(err) {
		return err
	}
	c.stdin.Close()
	return c.wait()
}

// cleanUp ends whatever still runs after a failure.
func (st *stage) cleanUp() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, c := range st.list {
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Kill()
			<-c.eof
			_ = c.cmd.Wait()
		}
	}
}

// A feeder writes numbered messages to a producer until it is told to stop or
// the producer is gone.
type feeder struct {
	surge chan int
	stop  chan struct{}
	done  chan struct{}
}

// How a feeder writes when nothing else is asked of it.
const (
	feedBurst = 50
	feedPause = 2 * time.Millisecond
)

// feed begins to send messages of producer p.
func feed(c *child, p uint16) *feeder {
	f := &feeder{surge: make(chan int, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		defer c.stdin.Close()
		var lines []byte
		next, burst := uint32(1), feedBurst
		for {
			lines = lines[:0]
			for range burst {
				lines = fmt.Appendf(lines, "%v\n", message{p, next})
				next++
			}
			if _, err := c.stdin.Write(lines); err != nil {
				return
			}
			burst = feedBurst
			select {
			case <-f.stop:
				return
			case burst = <-f.surge:
			case <-time.After(feedPause):
			}
		}
	}()
	return f
}

// finish ends the input.
func (f *feeder) finish() {
	close(f.stop)
	<-f.done
}
