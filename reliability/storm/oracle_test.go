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
