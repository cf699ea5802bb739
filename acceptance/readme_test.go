package acceptance_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestReadmeProgram builds the Go program of the README as it stands there, and
// sees it print its first record.
func TestReadmeProgram(t *testing.T) {
	ctx := newContext(t)
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := bytes.Cut(readme, []byte("\n```go\n"))
	code, _, found := bytes.Cut(code, []byte("\n```\n"))
	if !found {
		t.Fatal("README.md has no block of Go")
	}
	tmp := t.TempDir()
	source, bin := filepath.Join(tmp, "main.go"), filepath.Join(tmp, "program.exe")
	if err := os.WriteFile(source, code, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", bin, source).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, lines := newPipe(t)
	cmd := exec.Command(bin)
	cmd.Dir, cmd.Stdout = tmp, out
	p := startCommand(t, ctx, "the README's program", cmd)
	out.Close() // the process has its own
	expectLine(t, ctx, p, lines, "0 espresso")
}

// newPipe returns the end of a pipe that a process writes to, and the lines that
// come out of the other.
func newPipe(t *testing.T) (out *os.File, lines <-chan string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return w, readLines(r)
}

func readLines(r *os.File) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

func expectLine(t *testing.T, ctx context.Context, p *process, lines <-chan string, want string) {
	t.Helper()
	select {
	case got, ok := <-lines:
		if !ok || got != want {
			t.Fatalf("the consumer printed %q (%v), want %q", got, p.failure(), want)
		}
	case <-ctx.Done():
		t.Fatalf("no line %q: %v", want, ctx.Err())
	}
}
