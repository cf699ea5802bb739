//go:build amd64 || arm64

package step

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// An operation is what a child is killed in.
type operation struct {
	name string

	// What comes before, none of it stepped. The test's process makes the log and
	// appends the first batches. The child opens it and appends the warm ones, so
	// that what Go binds, maps and allocates at the first use is there.
	options log.Options
	first   []batch
	warm    []batch
	missing bool               // there is no log
	cold    bool               // the child has not opened the log
	ready   func(*actor) error // the child's last preparations
	dead    *death             // of another process, before the operation

	run  func(*actor) error // the operation itself
	long bool               // the short form does not follow it instruction by instruction

	batch  batch   // what it appends, if anything: there whole or not at all
	starts []int64 // where the log may begin after it; nil: at 0

	// resume is what the test's process does with the log besides appending to
	// it; check judges more than the records.
	resume func(dir string, ended bool) error
	check  func(l *check.Log, ended bool) error
}

const (
	segmentBytes = 64 << 10
	most         = 60_600 // bytes of a record behind which little more fits
	some         = 500    // bytes of which one fits behind that and two do not
	half         = 24_000 // bytes of which one does not fill half a segment, and two do
)

// noFlush keeps the background work out of what need not be flushed.
var noFlush = log.Options{SegmentBytes: segmentBytes, FlushEvery: -1}

var flush = log.Options{SegmentBytes: segmentBytes}

var operations = slices.Concat([]*operation{
	{
		name:    "append",
		options: noFlush,
		first:   []batch{{"a", 2, 0}},
		warm:    []batch{{"w", 3, 100}},
		batch:   batch{"x", 3, 100},
		run:     appendBatch,
	}, {
		name:    "append-durable",
		options: flush,
		first:   []batch{{"a", 2, 0}},
		warm:    []batch{{"w", 3, 100}},
		batch:   batch{"x", 3, 100},
		run: func(a *actor) error {
			w, err := a.log.Writer(log.WriterOptions{Ack: log.Durable})
			if err != nil {
				return err
			}
			_, err = w.AppendBatch(context.Background(), a.next)
			return err
		},
		check: func(l *check.Log, ended bool) error {
			if l.Durable < 8 && ended {
				return fmt.Errorf("durable up to %d, but all below 8 was acknowledged as durable", l.Durable)
			}
			return nil
		},
	}, {
		name:    "roll",
		options: noFlush,
		first:   []batch{{"a", 2, 0}},
		warm:    []batch{{"f", 1, most}, {"w", 1, 0}},
		ready:   waitForSpare,
		batch:   batch{"x", 2, some},
		run:     appendBatch,
	}, {
		name:    "roll-without-spare",
		long:    true,
		options: noFlush,
		first:   []batch{{"a", 2, 0}},
		warm:    []batch{{"f", 1, most}, {"w", 1, 0}},
		ready:   removeSpare,
		batch:   batch{"x", 2, some},
		run:     appendBatch,
	}, {
		name:    "spare", // made in the background when a segment is half full
		long:    true,
		options: noFlush,
		first:   []batch{{"a", 1, half}},
		warm:    []batch{{"w", 1, half / 2}},
		batch:   batch{"x", 1, 0},
		run: func(a *actor) error {
			err := appendBatch(a)
			yieldUntil(func() bool { return exists(filepath.Join(a.dir, "spare")) })
			return err
		},
	}, {
		name:    "retention", // a roll, and all that follows it in the background
		long:    true,
		options: noFlush,
		first:   []batch{{"a", 1, most}, {"b", 1, most}, {"c", 1, most}},
		warm:    []batch{{"f", 1, most}, {"w", 1, 0}},
		ready: func(a *actor) error {
			if err := a.log.SetRetention(log.Retention{Bytes: 2 * segmentBytes}); err != nil {
				return err
			}
			return waitForSpare(a)
		},
		batch: batch{"x", 2, some},
		run: func(a *actor) error {
			err := appendBatch(a)
			yieldUntil(func() bool { return !exists(segmentPath(a.dir, 2)) })
			return err
		},
		starts: []int64{0, 1, 2, 3},
		check: func(l *check.Log, ended bool) error {
			if l.Start != 3 && ended {
				return fmt.Errorf("the log starts at %d, but all below 3 was dropped", l.Start)
			}
			return nil
		},
	}, {
		name:    "trim",
		options: noFlush,
		first:   []batch{{"a", 1, most}, {"b", 1, most}, {"c", 1, most}},
		warm:    []batch{{"w", 1, 0}},
		long:    true,
		run: func(a *actor) error {
			_, err := a.log.Trim(context.Background(), log.TrimOptions{Before: log.At(2)})
			return err
		},
		starts: []int64{0, 1, 2},
		check: func(l *check.Log, ended bool) error {
			if l.Start != 2 && ended {
				return fmt.Errorf("the log starts at %d, but all below 2 was dropped", l.Start)
			}
			return nil
		},
	}, {
		name:    "close", // which flushes
		long:    true,
		options: flush,
		first:   []batch{{"a", 2, 0}},
		warm:    []batch{{"w", 1, 0}},
		run:     (*actor).close,
	}, {
		name:    "create",
		long:    true,
		options: noFlush,
		missing: true,
		cold:    true,
		run: func(a *actor) (err error) {
			a.log, err = log.Open(a.dir, a.op.options)
			return err
		},
	}, {
		name:    "first-producer", // recovers the log, as after a reboot
		long:    true,
		options: noFlush,
		missing: true,
		cold:    true,
		ready: func(a *actor) (err error) {
			a.log, err = log.Open(a.dir, a.op.options)
			return err
		},
		batch: batch{"x", 3, 100},
		run: func(a *actor) (err error) {
			if a.writer, err = a.log.Writer(log.WriterOptions{}); err != nil {
				return err
			}
			return appendBatch(a)
		},
	}, {
		name:    "open",
		long:    true,
		options: noFlush,
		first:   []batch{{"a", 2, 0}},
		cold:    true,
		batch:   batch{"x", 3, 100},
		run:     openAndAppend,
	}},
	settingOperations,
	repairOperations(),
)

func appendBatch(a *actor) error {
	_, err := a.writer.AppendBatch(context.Background(), a.next)
	return err
}

func openAndAppend(a *actor) error {
	if err := a.open(a.op.options); err != nil {
		return err
	}
	return appendBatch(a)
}

func operationNamed(name string) *operation {
	for _, op := range operations {
		if op.name == name {
			return op
		}
	}
	return nil
}

func waitForSpare(a *actor) error {
	const pause = 100 * time.Microsecond
	for !exists(filepath.Join(a.dir, "spare")) {
		time.Sleep(pause)
	}
	return nil
}
