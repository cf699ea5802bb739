// Package server runs the server of a broker as a child that does not outlive the benchmark, however that ends.
package server

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A Server is a running child. Its methods are for one goroutine.
type Server struct {
	cmd  *exec.Cmd
	log  string // where its output goes
	done chan struct{}
	err  error // how it ended, once done is closed
}

// Start starts cmd, with its output in dir/NAME.log.
//
// The kernel kills the child when the thread that started it ends: Start is to be called in a Peer's Setup, which
// runs on a thread that ends with the process.
func Start(dir, name string, cmd *exec.Cmd) (*Server, error) {
	s := &Server{cmd: cmd, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	out, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		s.err = cmd.Wait()
		close(s.done)
	}()
	return s, nil
}

// Await returns when probe returns nil: the server answers. It fails when the server ends, or after the limit.
func (s *Server) Await(limit time.Duration, probe func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("%s ended (%v): %s", s.cmd.Path, s.err, s.tail())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer after %v: %w: %s", s.cmd.Path, limit, err, s.tail())
		}
	}
}

// tail returns the end of the server's output, in one line.
func (s *Server) tail() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	const most = 300
	return string(bytes.ReplaceAll(bytes.TrimSpace(b[max(0, len(b)-most):]), []byte("\n"), []byte(" | ")))
}

// Pid returns the process's number, for Env.AddServer.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Kill ends the server at once. What it kept goes with the measurement's directory.
func (s *Server) Kill() error {
	_ = s.cmd.Process.Kill() // it may have ended before
	<-s.done
	return nil
}

// Port returns a TCP port of the loopback interface that was free just now, chosen by the kernel, for servers that
// cannot choose one themselves. (Another process may take it first: then the server fails to start.)
func Port() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Probe returns a function that tries to connect to a TCP or Unix address.
func Probe(network, address string) func() error {
	return func() error {
		c, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}
