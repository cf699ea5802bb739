// Package acceptance_test holds mlog to its promises from outside: it builds
// the command once, runs real processes on one log, and compares what came out
// with what went in. There is nothing to import here.
//
//	go test ./acceptance              a share of the Go source, some seconds
//	go test ./acceptance -full -v     all of it, and a whole minute of idling
package acceptance_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

var full = flag.Bool("full", false, "feed every line of the Go installation's source, and idle for a minute")

// patience ends a test that hangs. It says nothing about how long one takes.
const patience = 5 * time.Minute

var (
	binDir string
	build  = sync.OnceValues(buildCommand)
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withBinDir(m.Run))
}

func withBinDir(run func() int) int {
	dir, err := os.MkdirTemp("", "mlog-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binDir = dir
	return run()
}

// buildCommand builds cmd/mlog, with the race detector if this test has it.
func buildCommand() (path string, err error) {
	path = filepath.Join(binDir, "mlog.exe") // the name that every system runs
	args := []string{"build", "-o", path}
	if hasRaceDetector() {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "../cmd/mlog")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

func hasRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// A process is a program that runs, mlog as a rule.
type process struct {
	name   string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan struct{} // closed when the process has ended
	err    error         // how; to be read after done
}

// start runs mlog with these arguments.
func start(t *testing.T, ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) *process {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Stdin, cmd.Stdout = stdin, stdout
	return startCommand(t, ctx, fmt.Sprintf("mlog %q", args), cmd)
}

// startCommand runs a program, and kills it at the end of the test, should it
// still run.
func startCommand(t *testing.T, ctx context.Context, name string, cmd *exec.Cmd) *process {
	t.Helper()
	ctx, kill := context.WithCancel(ctx)
	p := &process{name: name, cmd: exec.CommandContext(ctx, cmd.Path), done: make(chan struct{})}
	p.cmd.Args, p.cmd.Dir, p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = cmd.Args, cmd.Dir, cmd.Stdin, cmd.Stdout, &p.stderr
	p.cmd.WaitDelay = time.Second // for a stdin that never ends
	if err := p.cmd.Start(); err != nil {
		kill()
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		kill()
		<-p.done
	})
	return p
}

// failure returns what went wrong with a process that has ended, if anything.
func (p *process) failure() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	if p.err != nil || p.stderr.Len() > 0 {
		return fmt.Errorf("%s: %v; stderr: %s", p.name, p.err, p.stderr.Bytes())
	}
	return nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// until waits for a condition, and gives up when one of the processes fails:
// then it may never come.
func until(t *testing.T, ctx context.Context, what string, condition func() bool, processes ...*process) {
	t.Helper()
	for !condition() {
		for _, p := range processes {
			if err := p.failure(); err != nil {
				t.Fatalf("waiting until %s: %v", what, err)
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting until %s: %v", what, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// wait returns when all the processes have ended well.
func wait(t *testing.T, ctx context.Context, what string, processes ...*process) {
	t.Helper()
	until(t, ctx, what, func() bool {
		for _, p := range processes {
			if !p.ended() || p.failure() != nil {
				return false
			}
		}
		return true
	}, processes...)
}

// run runs mlog to its end and returns what it printed.
func run(t *testing.T, ctx context.Context, stdin io.Reader, args ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	wait(t, ctx, "it ends", start(t, ctx, stdin, &out, args...))
	return out.Bytes()
}

// newContext ends with the test, or when it hangs.
func newContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("the test hangs"))
	t.Cleanup(cancel)
	return ctx
}
