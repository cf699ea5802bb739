package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed27ccf144/mlog/internal/layout"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mlog": func() {
		becomeTestUser()
		main()
	}})
}

// scriptPatience ends scripts that wait for what never comes, as after a
// mistake; it says nothing about how fast anything has to be.
const scriptPatience = 3 * time.Minute

// TestScript runs the scripts in testdata: each is what a user types, and what
// must come of it.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Deadline:            time.Now().Add(scriptPatience),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			// A program built for the race detector sleeps a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"fails":    cmdFails,
			"waitfile": cmdWaitFile,
			"lines":    cmdLines,

			"needs":     cmdNeeds,
			"publicdir": cmdPublicDir,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "hup":
				return !signal.Ignored(syscall.SIGHUP), nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
	})
}

// exits CODE PROGRAM ARG...: the program ends with exactly this code.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := runForCode(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// fails CODE REGEXP PROGRAM ARG...: the program ends with this code, nothing on
// stdout, and exactly one line on stderr, which matches.
func cmdFails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: fails CODE REGEXP PROGRAM ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	match, err := regexp.Compile(args[1])
	ts.Check(err)
	got := runForCode(ts, args[2:])
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	switch {
	case got != want:
		ts.Fatalf("exit code %d, want %d", got, want)
	case stdout != "":
		ts.Fatalf("a failure printed to stdout: %q", stdout)
	case strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") || !strings.HasPrefix(stderr, "mlog"):
		ts.Fatalf("stderr must be one line of mlog: %q", stderr)
	case !match.MatchString(strings.TrimSuffix(stderr, "\n")):
		ts.Fatalf("stderr does not match %s: %s", match, stderr)
	}
}

func runForCode(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	return exit.ExitCode()
}

// waitfile FILE REGEXP: waits until what the file has matches. Only a failure
// takes long: nothing is said about how fast it must come.
func cmdWaitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfile FILE REGEXP")
	}
	match, err := regexp.Compile(args[1])
	ts.Check(err)
	var text []byte
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, _ = os.ReadFile(ts.MkAbs(args[0]))
		if match.Match(text) {
			return
		}
	}
	ts.Fatalf("%s never matched %s: %q", args[0], match, text)
}

// lines FILE N: the file has exactly so many lines.
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); got != want {
		ts.Fatalf("%s has %d lines, want %d", args[0], got, want)
	}
}

// needs DIR BITS: the log uses incompatible features of these bits, as one made or
// repaired by another build may.
func cmdNeeds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: needs DIR BITS")
	}
	bits, err := strconv.ParseUint(args[1], 0, 64)
	ts.Check(err)
	dir := layout.Dir(ts.MkAbs(args[0]))
	meta, err := dir.ReadMeta()
	ts.Check(err)
	meta.Incompat = bits
	ts.Check(os.WriteFile(dir.Meta(), meta.Encode(), 0o600))
}

// publicdir makes a directory that other users can reach, and names it $PUBLIC;
// those above $WORK are the owner's alone.
func cmdPublicDir(ts *testscript.TestScript, neg bool, args []string) {
	dir, err := os.MkdirTemp("", "mlog-public-")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	ts.Check(os.Chmod(dir, 0o777))
	ts.Setenv("PUBLIC", dir)
}
