package log_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

const roleVariable = "MLOG_LOG_TEST_ROLE"

// roles are what this test binary does when it is started as a child.
var roles = map[string]func(args []string) error{}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// lines are what a child prints.
type lines struct {
	t    *testing.T
	scan *bufio.Scanner
}

// startLines starts a child, to be killed when the test ends.
func startLines(t *testing.T, cmd *exec.Cmd) *lines {
	t.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &lines{t: t, scan: bufio.NewScanner(out)}
}

func (l *lines) expect(line string) {
	l.t.Helper()
	if !l.scan.Scan() {
		l.t.Fatalf("the child ended before it said %q: %v", line, l.scan.Err())
	}
	if l.scan.Text() != line {
		l.t.Fatalf("the child said %q where %q was expected", l.scan.Text(), line)
	}
}
