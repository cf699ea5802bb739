package hostile_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var (
	seconds = flag.Int("seconds", 0, "how long TestScribble runs; 0: the short form")
	seed    = flag.Uint64("seed", 1, "of all random choices")
	keep    = flag.Bool("keep", false, "keep the directory of the log")
)

const roleVariable = "MLOG_HOSTILE_TEST_ROLE"

// roles are what this test binary does when it is started as a child.
var roles = map[string]func(args []string) error{}

func addRole(name string, role func(args []string) error) bool {
	roles[name] = role
	return true
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := roles[role](os.Args[1:]); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

// scribbleFor is how long TestScribble runs.
func scribbleFor() time.Duration {
	if *seconds > 0 {
		return time.Duration(*seconds) * time.Second
	}
	return 4 * time.Second
}
