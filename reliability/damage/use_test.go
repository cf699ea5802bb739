package damage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// patience is how long an append may take before it counts as one that hangs.
const patience = 60 * time.Second

var newValue = []byte("appended after the damage")

// produce appends to a harmed log and judges where the record went. It reports
// why the producer refused, if it did.
func (w *world) produce(may loss, v *verdict) (refusal error) {
	offset, err := w.append()
	if err != nil {
		may.unproved = may.marked && (w.rebooted || may.stale)
		v.judgeRefusal("append", err, may)
		return err
	}
	told := w.end
	if (w.rebooted || may.stale) && may.first < w.end { // what was not durable may be gone, and its offsets free
		told = max(w.durable, may.first)
		if may.unmarked {
			told = max(w.activeBase(), may.first)
		}
	}
	if offset < told {
		v.violate("the new record has offset %d, which was another's: the log ended at %d", offset, told)
		return nil
	}
	if offset > w.end {
		v.violate("the new record has offset %d, the log ended at %d", offset, w.end)
		return nil
	}
	w.readBack(offset, may, v)
	return nil
}

// append appends one record in this process, with a bound to the time it takes.
func (w *world) append() (offset int64, err error) {
	type result struct {
		offset int64
		err    error
	}
	done := make(chan result, 1)
	go func() {
		offset, err := w.appendOne()
		done <- result{offset, err}
	}()
	select {
	case r := <-done:
		return r.offset, r.err
	case <-time.After(patience):
		return 0, fmt.Errorf("no producer could append for %v", patience)
	}
}

func (w *world) appendOne() (int64, error) {
	l, err := mlog.Open(w.dir, mlog.Options{MustExist: true, FlushEvery: -1})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	p, err := l.Writer(mlog.WriterOptions{Ack: mlog.Durable})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience/2)
	defer cancel()
	offset, err := p.Append(ctx, mlog.Record{Value: newValue})
	if err == nil {
		// A second one shows that the log goes on behind the first.
		_, err = p.Append(ctx, mlog.Record{Value: newValue})
	}
	return offset, err
}

// readBack reads the log after records were appended to it at offset.
func (w *world) readBack(offset int64, may loss, v *verdict) {
	report, err := mlog.Verify(context.Background(), w.dir, mlog.VerifyOptions{})
	if err != nil {
		v.violate("verify after an append: %v", err)
		return
	}
	l, err := mlog.Open(w.dir, mlog.Options{MustExist: true, FlushEvery: -1})
	if err != nil {
		v.violate("open after an append: %v", err)
		return
	}
	defer l.Close()
	after := *w
	m := *w.template
	after.template = &m
	if offset < w.end { // the log was cut there
		m.end = offset
		m.batches = nil
		for _, b := range w.batches {
			if b.base+int64(b.count) <= offset {
				m.batches = append(m.batches, b)
			}
		}
	}
	r := after.read(l, may, v)
	after.compare(r, may, v)
	if v.refusal != "" {
		v.violate("after an append, %s", v.refusal)
		return
	}
	after.compareWithReport(r, &report, v)
	if len(r.appended) != 2 || r.appended[0] != offset || r.appended[1] != offset+1 {
		v.violate("records were appended at %d and %d, read at %v", offset, offset+1, r.appended)
	}
}

// mend repairs a harmed log, and judges what is left.
func (w *world) mend(may loss, v *verdict) (refusal error, repaired bool) {
	before, err := w.snapshot()
	if err != nil {
		v.violate("%v", err)
		return nil, false
	}
	plan, err := w.repair(false)
	if err != nil {
		v.judgeRefusal("repair", err, may)
		if !errors.Is(err, mlog.ErrIncompatible) && !(may.control && errors.Is(err, fs.ErrNotExist)) {
			v.violate("repair has no remedy: %v", err)
		}
		return err, false
	}
	if after, err := w.snapshot(); err != nil || !bytes.Equal(before, after) {
		v.violate("a repair that was not to change anything changed something, %v", err)
	}
	done, err := w.repair(true)
	if err != nil {
		v.violate("repair: %v", err)
		return nil, false
	}
	if done.Done != plan.Needed {
		v.violate("repair needed: %v, done: %v", plan.Needed, done.Done)
	}
	if plan.Needed {
		w.judgeMended(may, v)
	}
	if err := w.produce(may, v); err != nil {
		v.violate("append after repair (needed: %v): %v", plan.Needed, err)
	}
	if plan.Needed {
		w.parse(may, v)
	}
	return nil, plan.Needed
}

// parse judges the log by package check, but for what means nothing and repair
// leaves alone.
func (w *world) parse(may loss, v *verdict) {
	_, err := check.Read(w.dir, check.Options{PowerLost: w.rebooted || may.stale})
	all, ok := err.(interface{ Unwrap() []error })
	if err == nil || !ok {
		return
	}
	for _, err := range all.Unwrap() {
		var b *check.Breach
		if !errors.As(err, &b) || !strings.HasPrefix(b.File, "groups/") || !strings.Contains(b.Reason, "reserved") {
			v.violate("package check, after repair: %v", err)
		}
	}
}

func (w *world) judgeMended(may loss, v *verdict) {
	again, err := w.repair(false)
	if err != nil || again.Needed || len(again.Findings) > 0 {
		v.violate("repair finds something to do again: %+v, %v", again.Findings, err)
	}
	report, err := mlog.Verify(context.Background(), w.dir, mlog.VerifyOptions{})
	if err != nil || len(report.Damage) > 0 || report.TornTail != nil {
		v.violate("verify after repair: %+v, torn %v, %v", report.Damage, report.TornTail, err)
	}
}

func (w *world) repair(execute bool) (mlog.RepairReport, error) {
	return mlog.Repair(context.Background(), w.dir, mlog.RepairOptions{Execute: execute})
}

// snapshot returns a hash of all the log's files but those whose content is
// volatile or empty.
func (w *world) snapshot() ([]byte, error) {
	h := fnv.New128a()
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "wake") {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d ", path, len(data))
		h.Write(data)
		return err
	})
	return h.Sum(nil), err
}
