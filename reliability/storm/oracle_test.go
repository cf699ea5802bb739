//go:build unix

package storm

import (
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/reliability/check"
)

// The judge itself: what a consumer of a log from 10 to 20 that is durable to 15 may
// have been told, and what not.
func TestJudgeConsumer(t *testing.T) {
	at := func(k kind, offset int64) entry {
		return entry{Kind: k, Offset: offset, Producer: 1, Seq: uint64(offset)}
	}
	from := func(first, end int64) (entries []entry) {
		for offset := first; offset < end; offset++ {
			entries = append(entries, at(seen, offset))
		}
		return entries
	}
	with := func(first entry, more ...[]entry) []entry {
		entries := []entry{first}
		for _, m := range more {
			entries = append(entries, m...)
		}
		return entries
	}
	for _, row := range []struct {
		name, role string
		least      int64
		right      bool
		entries    []entry
	}{
		{"all there is", "start", 1, true, with(at(opened, 10), from(10, 20))},
		{"what is gone by now", "start", 1, true, with(at(opened, 4), from(4, 20))},
		{"the first segment skipped", "start", 1, false, with(at(opened, 13), from(13, 20))},
		{"the first record skipped", "start", 1, false, with(at(opened, 10), from(11, 20))},
		{"a gap", "start", 1, false, with(at(opened, 10), from(10, 12), from(13, 20))},
		{"stopped early", "start", 1, false, with(at(opened, 10), from(10, 19))},
		{"given nothing", "start", 1, false, with(at(opened, 10))},
		{"overtaken", "start", 1, true, with(at(opened, 4), from(4, 6), with(at(jumped, 10), from(10, 20)))},
		{"landed too far", "start", 1, false, with(at(opened, 4), from(4, 6), with(at(jumped, 12), from(12, 20)))},
		{"overtaken where nothing is dropped", "start", 0, false, with(at(opened, 0), from(0, 6), with(at(jumped, 10), from(10, 20)))},
		{"from the end", "end", 1, true, with(at(opened, 17), from(17, 20))},
		{"from behind the end", "end", 1, false, with(at(opened, 21))},
		{"the durable ones", "synced", 1, true, with(at(opened, 10), from(10, 15))},
		{"not all durable ones", "synced", 1, false, with(at(opened, 10), from(10, 14))},
		{"durable ones but the first", "synced", 1, false, with(at(opened, 12), from(12, 15))},
		{"where the group was", "member", 1, true, with(at(joined, 12), from(12, 14))},
		{"not where the group was", "member", 1, false, with(at(joined, 12), from(13, 14))},
		{"a new group's first", "member", 1, true, with(at(joined, -1), with(at(opened, 10), from(10, 14)))},
		{"not a new group's first", "member", 1, false, with(at(joined, -1), from(11, 14))},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := &life{least: row.least, truth: newTruth()}
			log := &check.Log{Start: 10, End: 20, Control: &check.Control{Durable: 15}}
			err := l.judgeConsumer(&process{job: job{Role: row.role}}, row.entries, log, &tally{})
			if (err == nil) != row.right {
				t.Errorf("judged %v", err)
			}
		})
	}
}

// A survivor that appends no more counts, whether it is killed or leaves in the end.
func TestWaited(t *testing.T) {
	death := time.Unix(1000, 0)
	after := func(d time.Duration) int64 { return death.Add(d).UnixNano() }
	before := entry{Begin: after(-2 * time.Millisecond), End: after(-time.Millisecond)}
	within := entry{Begin: after(-time.Millisecond), End: after(time.Second)}
	behind := entry{Begin: after(time.Millisecond), End: after(3 * time.Millisecond)}
	late := death.Add(2 * time.Second)
	for _, row := range []struct {
		name    string
		p       process
		entries []entry
		want    time.Duration
		counts  bool
	}{
		{"it went on", process{told: late}, []entry{before, behind}, 3 * time.Millisecond, true},
		{"it hung until it was told to leave", process{told: late}, []entry{before}, 2 * time.Second, true},
		{"it hung in an append until it was told to leave", process{told: late}, []entry{before, within}, 2 * time.Second, true},
		{"it hung until it was killed", process{killed: late}, []entry{before}, 2 * time.Second, true},
		{"it was told to leave at once", process{told: death.Add(time.Millisecond)}, []entry{before}, 0, false},
		{"it began later", process{told: late}, []entry{behind}, 0, false},
	} {
		wait, ok := worker{&row.p, row.entries}.waited(death)
		if ok != row.counts || ok && wait != row.want {
			t.Errorf("%s: %v, %v", row.name, wait, ok)
		}
	}
}

// What the machine withheld from the bare process, at a death after 100 ms whose survivors
// went on 10 ms later.
func TestWithheld(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	for _, row := range []struct {
		name  string
		beats []int
		want  time.Duration // in milliseconds
	}{
		{"in time", []int{98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111}, 0},
		{"late in between", []int{99, 100, 101, 107, 108, 109, 110, 111}, 5},
		{"late twice", []int{99, 100, 103, 104, 105, 106, 107, 110, 111}, 4},
		{"late from before on", []int{80, 104, 105, 106, 107, 108, 109, 110}, 4},
		{"late up to the end", []int{99, 100, 101, 150}, 8},
		{"late before and behind only", []int{10, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 300}, 0},
		{"late all the time", []int{50, 200}, 10},
		{"began later", []int{106, 107, 108, 109, 110}, 6},
		{"ended before", []int{99, 100, 101, 102}, 7},
		{"never at work", nil, 10},
	} {
		var beats []entry
		for _, ms := range row.beats {
			beats = append(beats, entry{Kind: beat, End: at(ms).UnixNano()})
		}
		if got := withheld(beats, at(100), at(110)); got != row.want*time.Millisecond {
			t.Errorf("%s: %v, want %d ms", row.name, got, row.want)
		}
	}
}

// A violation is told in one line, whatever a process left behind when it ended.
func TestInOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"offset 7 where 6 is due":                              "offset 7 where 6 is due",
		"process 5 (member): exit status 1: damage\nno room\n": "process 5 (member): exit status 1: damage; no room",
		"process 5 (member): exit status 2: panic: oh\n\ngoroutine 1 [running]:\nmain.main()\n\t/x.go:1\n":               "process 5 (member): exit status 2: panic: oh",
		"process 5 (member): exit status 2: level=WARN msg=flush\nfatal error: all asleep\n\ngoroutine 1 [select]:\nf()": "process 5 (member): exit status 2: level=WARN msg=flush; fatal error: all asleep",
		"process 5 (end): exit status 66: ==================\nWARNING: DATA RACE\nRead at 0x1 by goroutine 9:\n":         "process 5 (end): exit status 66: ==================; WARNING: DATA RACE",
	} {
		if got := inOneLine(text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}
