package server

import (
	"errors"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKillEndsTheServer(t *testing.T) {
	s, err := Start(t.TempDir(), "sleep", exec.Command("sleep", "60"))
	if err != nil {
		t.Fatal(err)
	}
	pid := s.Pid()
	if err := s.Await(time.Second, func() error { return syscall.Kill(pid, 0) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("after Kill, a signal to the process gives %v, want ESRCH", err)
	}
}

func TestAwaitTellsWhyTheServerEnded(t *testing.T) {
	s, err := Start(t.TempDir(), "sh", exec.Command("sh", "-c", "echo no such option; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Await(10*time.Second, func() error { return errors.New("no answer") })
	if err == nil || !strings.Contains(err.Error(), "no such option") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Await returns %v, want the server's status and what it wrote", err)
	}
}

func TestAwaitGivesUp(t *testing.T) {
	s, err := Start(t.TempDir(), "sleep", exec.Command("sleep", "60"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Kill()
	silent := errors.New("no answer")
	if err := s.Await(50*time.Millisecond, func() error { return silent }); !errors.Is(err, silent) {
		t.Errorf("Await returns %v, want what the probe said", err)
	}
}

func TestPortIsFree(t *testing.T) {
	port, err := Port()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatalf("nobody can listen on the port %d: %v", port, err)
	}
	l.Close()
}
