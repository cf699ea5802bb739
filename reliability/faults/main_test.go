package faults_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	every = flag.Bool("every", false, "the long form: every fault, not a sample")
	seed  = flag.Uint64("seed", 1, "what the sample is drawn by")
	keep  = flag.Bool("keep", false, "keep the directories of what failed")
	only  = flag.String("only", "", "a regular expression: nothing but the faults of which it matches the name")
)

// patience ends what hangs. It says nothing about how long a thing takes.
const patience = time.Minute

// roleVariable makes a process of this test binary play a role.
const roleVariable = "MLOG_FAULTS_TEST_ROLE"

var roles = map[string]func(args []string) error{"append": appendRole}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, oneLine(err))
		os.Exit(1)
	}
}

// child is a process of this test binary in a role.
func child(role string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// workDir is a directory of one fault. It goes when the fault has been judged,
// unless something was wrong and -keep was given.
func workDir(t *testing.T, root, name string) (dir string, remove func(failed bool)) {
	t.Helper()
	dir = filepath.Join(root, strings.NewReplacer("/", "_", " ", "_").Replace(name))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, func(failed bool) {
		if failed && *keep {
			t.Logf("kept: %s", dir)
			return
		}
		os.RemoveAll(dir)
	}
}

// workRoot is where the directories of faults are made: in memory, if the system
// has a place for that and TMPDIR does not name another, since there a sync costs
// nothing and thousands are made.
func workRoot(t *testing.T) string {
	t.Helper()
	const inMemory = "/dev/shm"
	parent := ""
	if fi, err := os.Stat(inMemory); err == nil && fi.IsDir() && os.Getenv("TMPDIR") == "" {
		parent = inMemory
	}
	root, err := os.MkdirTemp(parent, "mlog-faults-")
	if err != nil {
		root, err = os.MkdirTemp("", "mlog-faults-")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if *keep {
			os.Remove(root) // if it is empty, nothing was kept
		} else if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	return root
}
