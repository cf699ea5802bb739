//go:build amd64 || arm64

package step

import (
	"flag"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/cpu"
)

var (
	stride  = flag.Int("stride", 0, "kill after every n-th instruction; 1: after every one; 0: a small sample")
	only    = flag.String("operations", "", "regular expression: the operations to do; all by default")
	at      = flag.String("at", "", "kill at this moment only, given as SYSTEM-CALLS+INSTRUCTIONS, in both ways; to repeat a failure")
	laps    = flag.Int("laps", 100, "with -stride, pass over an instruction that was executed more often since the last system call: a turn of a loop that copies, hashes or scans; 0: never")
	workers = flag.Int("workers", 2, "children at a time")
	keep    = flag.Bool("keep", false, "keep the directories of logs that failed")
)

const (
	evenSamples   = 3                     // of each operation in the short form
	changeSamples = 3                     // and so many where something shared has just changed
	goOnBound     = 50 * time.Millisecond // from the kill to the end of the next append
)

// TestStep kills a child in each operation, after every k-th machine instruction,
// and looks whether anything acknowledged is lost, or anything half done is seen.
// In turns the next append is that of a process that opens the log after the kill,
// and of one that had it open.
//
// The short form kills each operation at some instructions, evenly spaced, and at
// some behind a store to the shared words.
func TestStep(t *testing.T) {
	if runtime.GOARCH == "arm64" && !cpu.ARM64.HasATOMICS {
		t.Skip("this processor has no atomic instructions but pairs of exclusive load and store, which never succeed when single-stepped")
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var total tally
	known := &knownDeaths{paths: make(map[string]*path)}
	for _, op := range operations {
		if !pattern.MatchString(op.name) {
			continue
		}
		t.Run(op.name, func(t *testing.T) {
			c := &campaign{t: t, op: op, known: known}
			c.run()
			total.add(&c.tally)
		})
	}
	if total.kills > 0 {
		t.Logf("stride=%d laps=%d (no random choice) %v", *stride, *laps, &total)
	}
}

// A tally counts what was done.
type tally struct {
	instructions, passed             int // of the operation, and of these passed over by -laps
	kills, landed, ended, violations int
	took                             []time.Duration
}

func (a *tally) add(b *tally) {
	a.instructions += b.instructions
	a.passed += b.passed
	a.kills += b.kills
	a.landed += b.landed
	a.ended += b.ended
	a.violations += b.violations
	a.took = append(a.took, b.took...)
}

func (a *tally) String() string {
	slices.Sort(a.took)
	at := func(percent int) time.Duration {
		if len(a.took) == 0 {
			return 0
		}
		return a.took[(len(a.took)-1)*percent/100].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("instructions=%d passed-over=%d kills=%d at-planned-instruction=%d after-end=%d kill-to-append-median=%v 99%%=%v max=%v violations=%d",
		a.instructions, a.passed, a.kills, a.landed, a.ended, at(50), at(99), at(100), a.violations)
}
