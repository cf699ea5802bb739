package hostile_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A child is a process of this test binary in one of the roles.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startChild(t *testing.T, role string, args ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
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
	return &child{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
}

func (c *child) tell(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatalf("%v: %v, %v", c.cmd.Args, err, c.cmd.Wait())
	}
}

// line is the child's next one. That there is none tells that it died.
func (c *child) line() string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("%v died: %v", c.cmd.Args, c.cmd.Wait())
	}
	return c.out.Text()
}

func (c *child) expect(word string) (rest string) {
	c.t.Helper()
	first, rest, _ := strings.Cut(c.line(), " ")
	if first != word {
		c.t.Fatalf("%v said %q where %q was expected", c.cmd.Args, first+" "+rest, word)
	}
	return rest
}

// end waits for a child that comes to its end, and returns the most memory that
// it had, in bytes, 0 if this system does not tell.
func (c *child) end() int64 {
	c.t.Helper()
	c.in.Close()
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("%v: %v", c.cmd.Args, err)
	}
	return peakMemory(c.cmd.ProcessState)
}
