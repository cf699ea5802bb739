package faults_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// A judge says whether a world withstood a fault.
type judge struct {
	*world
	failure
	scenario    string
	failed      []string // the calls that were made to fail
	said        string   // what the log said in the background meanwhile
	scratch     string   // a directory for what it needs
	goroutines  int      // how many there were before
	unrecovered bool     // a sync of its recovery failed, so it takes no producer
}

func (j *judge) outcome() outcome {
	var o outcome
	o.missed = len(j.failed) == 0
	for _, err := range j.errs {
		j.judgeError(err)
	}
	told := len(j.errs) > 0 || strings.Contains(j.said, "level=WARN")
	if !told && !o.missed {
		if o.silence = j.whyHarmless(); o.silence == "" {
			j.breach("%v failed, and nobody was told", j.failed)
		}
	}
	o.poisoned = j.goesOn()
	j.noLeaks()
	if !j.unrecovered { // else it is as the power loss left it, and judged after the next one
		j.asPromised(j.dir, check.Options{PowerLost: j.recovered()})
	}
	j.rebooted()
	o.breaches = j.breaches
	return o
}

// recovered reports whether the log was recovered as after a power loss.
func (j *judge) recovered() bool {
	_, err := os.Lstat(filepath.Join(j.dir, "cut"))
	return err == nil || j.failure.op == "read"
}

// judgeError asks of an error that it says what failed, and where, so that a
// program can tell, and a person too.
func (j *judge) judgeError(err error) {
	text := err.Error()
	if !errors.Is(err, j.errno) && !errors.Is(err, mlog.ErrSyncFailed) {
		j.breach("the error does not come from %v: %v", errnoNames[j.errno], err)
	}
	aboutDamage := errors.Is(err, mlog.ErrDamaged) || strings.HasPrefix(text, "damage in") && j.errno != syscall.EIO && j.errno != syscall.ENOSPC
	if aboutDamage {
		j.breach("the error speaks of damage, and there is none: %v", err)
	}
	if !strings.Contains(text, j.root) && !strings.Contains(text, filepath.Base(j.dir)) && !slices.ContainsFunc([]string{j.op, ".seg", "group", "eventfd"}, func(word string) bool { return strings.Contains(text, word) }) {
		j.breach("the error does not say what failed, or where: %v", err)
	}
	if strings.Contains(text, "\n") {
		j.breach("the error is of several lines: %q", text)
	}
}

// goesOn asks that, now that nothing fails any more, the same producer goes on, and
// another one too; or else that all of them refuse, since a sync failed.
func (j *judge) goesOn() (poisoned bool) {
	failedSync := slices.ContainsFunc(j.failed, func(call string) bool {
		return strings.HasPrefix(call, "fdatasync") || strings.HasPrefix(call, "msync") || strings.HasPrefix(call, "fsync")
	})
	if j.writer != nil {
		err := j.appendBy(j.writer, false, "the same producer goes on")
		poisoned = errors.Is(err, mlog.ErrSyncFailed)
		if err != nil && !poisoned {
			j.breach("the same producer does not go on: %v", err)
		}
	}
	same := j.writer != nil
	l, w, err := openProducer(j.dir)
	if errors.Is(err, mlog.ErrSyncFailed) && !same { // it was recovery's sync
		if !failedSync {
			j.breach("no sync failed, and the log does not open: %v", err)
		}
		j.refusedEverywhere()
		j.unrecovered = true
		return true
	}
	if err != nil {
		j.breach("the log does not open: %v", err)
		return poisoned
	}
	defer j.closed(l)
	err = j.appendBy(w, false, "another producer goes on")
	refused := errors.Is(err, mlog.ErrSyncFailed)
	switch {
	case refused && same && !poisoned, !refused && poisoned:
		j.breach("one producer may append and another not: %v", err)
	case err != nil && !refused:
		j.breach("another producer does not go on: %v", err)
	case refused && !failedSync:
		j.breach("no sync failed, and nobody may append: %v", err)
	case !refused && j.mayPoison && (slices.Contains(j.failed, "fdatasync segment") || slices.Contains(j.failed, "msync segment")) && j.errno != eintr:
		j.breach("the sync of a segment failed, and all go on")
	}
	if refused {
		j.refusedEverywhere()
	}
	next, err := j.scan(l, mlog.ReaderOptions{})
	for errors.Is(err, mlog.ErrOutOfRange) { // retention was quicker
		next, err = j.scan(l, mlog.ReaderOptions{})
	}
	if err != nil || next != j.end {
		j.breach("the log was read to offset %d, %v; it ends at %d", next, err, j.end)
	}
	return refused
}

// refusedEverywhere asks that another process is refused as well.
func (j *judge) refusedEverywhere() {
	out, err := child("append", j.dir, "must not get there").CombinedOutput()
	if err == nil || !strings.Contains(string(out), mlog.ErrSyncFailed.Error()) {
		j.breach("another process was not refused: %v, %s", err, out)
	}
}

// closed closes a log, of which a failed sync makes an error.
func (j *judge) closed(l *mlog.Log) {
	if err := l.Close(); err != nil && !errors.Is(err, mlog.ErrSyncFailed) {
		j.breach("the log does not close: %v", err)
	}
}

// noLeaks closes what the scenario left open, and asks that nothing is left: no
// descriptor, no mapping, no goroutine.
func (j *judge) noLeaks() {
	if j.log != nil {
		j.closed(j.log)
		j.log, j.writer = nil, nil
	}
	for _, what := range openFiles(j.root) {
		j.breach("left open: %s", what)
	}
	const pause, most = time.Millisecond, 2000
	for n := 1; runtime.NumGoroutine() > j.goroutines+1; n++ { // and the one that judges
		if n == most {
			stacks := make([]byte, 1<<20)
			j.breach("%d goroutines are left of %d\n%s", runtime.NumGoroutine(), j.goroutines, stacks[:runtime.Stack(stacks, true)])
			return
		}
		time.Sleep(pause)
	}
}

// asPromised asks that the files are sound and hold what was acknowledged, and
// nothing else.
func (j *judge) asPromised(dir string, o check.Options) {
	l, err := check.Read(dir, o)
	if err != nil {
		j.breach("the checker finds: %v", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if l == nil {
		return
	}
	if l.End != j.end {
		j.breach("the log ends at offset %d, %d were acknowledged", l.End, j.end)
	}
	if l.Start > 0 && (j.retained == 0 || j.end-l.Start < j.retained) {
		j.breach("the log starts at offset %d, and ends at %d", l.Start, j.end)
	}
	for _, r := range l.Records {
		if want, is := j.records[r.Offset]; !is || string(r.Value) != want {
			j.breach("offset %d is %q, acknowledged was %q (%t)", r.Offset, brief(string(r.Value)), brief(want), is)
		}
	}
	if int64(len(l.Records)) != l.End-l.Start {
		j.breach("%d records from offset %d to %d", len(l.Records), l.Start, l.End)
	}
}

// rebooted asks that a copy of the directory, which is to the log as after a boot
// whose disk has all, comes up whole, and takes appends again.
func (j *judge) rebooted() {
	dir := filepath.Join(j.scratch, "rebooted")
	if err := copyLog(j.dir, dir); err != nil {
		j.breach("copy: %v", err)
		return
	}
	l, w, err := openProducer(dir)
	if err != nil {
		j.breach("after a reboot the log does not open: %v", err)
		return
	}
	if err := j.appendBy(w, false, "after the reboot"); err != nil {
		j.breach("after a reboot: %v", err)
	}
	j.closed(l)
	j.asPromised(dir, check.Options{PowerLost: true})
}

func openProducer(dir string) (*mlog.Log, *mlog.Writer, error) {
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: smallest})
	if err != nil {
		return nil, nil, err
	}
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, w, nil
}

// appendRole (DIR TEXT) appends a record.
func appendRole(args []string) error {
	l, w, err := openProducer(args[0])
	if err != nil {
		return err
	}
	offset, err := w.Append(context.Background(), mlog.Record{Value: []byte(args[1])})
	if err == nil {
		fmt.Println(offset)
	}
	return errors.Join(err, l.Close())
}
