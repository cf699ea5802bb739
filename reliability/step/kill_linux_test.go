//go:build amd64 || arm64

package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// A scene is one log, one child that is killed in an operation on it, and what
// must come of that.
type scene struct {
	op       *operation
	dir      string
	story    story
	survivor *actor // had the log open all the time; nil: nobody did
	child    *tracee
}

// An outcome is what there was to see of one kill.
type outcome struct {
	place   uint64 // of the instruction that would have been next
	ended   bool
	visible bool          // the operation's batch is in the log
	took    time.Duration // from the kill to the end of the next append
}

// setUp brings a child to the beginning of the operation.
func (op *operation) setUp(dir string, survive bool, known *knownDeaths) (*scene, error) {
	s := &scene{op: op, dir: dir, story: story{doubt: -1}}
	if !op.missing {
		first := &actor{dir: dir, op: op}
		err := first.open(op.options)
		if err == nil {
			err = first.appendAll(op.first...)
		}
		if survive && err == nil {
			s.survivor = first
		} else {
			err = errors.Join(err, first.close())
		}
		if err != nil {
			return s, fmt.Errorf("before the child: %w", err)
		}
		s.story.tell(op.first...)
	}
	start := func() (err error) {
		s.child, err = startTracee(op.name, dir)
		s.story.tell(op.warm...)
		return err
	}
	if op.dead == nil {
		return s, start()
	}
	steps := []func() error{func() error { return s.die(op.dead, known) }, start}
	if op.dead.late {
		steps[0], steps[1] = steps[1], steps[0]
	}
	return s, errors.Join(steps[0](), steps[1]())
}

// tearDown ends whatever is left of the scene.
func (s *scene) tearDown() {
	if s.child != nil {
		s.child.kill()
		s.child.reap()
	}
	if s.survivor != nil {
		s.survivor.close()
	}
}

// kill lets the child go by a route, kills it there, goes on with the log and has it
// checked. An error is a violation, or trouble with the test itself.
func (op *operation) kill(dir string, r route, survive bool, known *knownDeaths) (o outcome, err error) {
	s, err := op.setUp(dir, survive, known)
	defer s.tearDown()
	if err != nil {
		return o, err
	}
	if err := s.child.run(r); err != nil {
		return o, err
	}
	if o.place, err = s.child.place(); err != nil {
		return o, err
	}
	o.ended = s.child.ended
	if op.batch.count > 0 {
		if !o.ended {
			s.story.doubt = len(s.story.batches)
		}
		s.story.tell(op.batch)
	}
	o.took, err = s.killAndAppend()
	if err != nil {
		return o, &violation{fmt.Errorf("append after the kill: %w", err)}
	}
	if err := s.goOn(o.ended); err != nil {
		return o, &violation{err}
	}
	if o.visible, err = s.judge(o.ended); err != nil {
		return o, &violation{err}
	}
	o.visible = o.visible || o.ended
	return o, nil
}

// A violation is what the log did wrong, as opposed to the test.
type violation struct{ error }

func (v *violation) Unwrap() error { return v.error }

var afterKill, afterAll = batch{"after", 1, 0}, batch{"end", 2, 0}

// killAndAppend kills the child and appends a record, by the survivor or by
// opening the log.
func (s *scene) killAndAppend() (time.Duration, error) {
	a := s.survivor
	killed := time.Now()
	s.child.kill()
	if a == nil {
		a = &actor{dir: s.dir, op: s.op}
		defer a.close()
		if err := a.open(s.op.options); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendBound)
	defer cancel()
	_, err := a.writer.AppendBatch(ctx, afterKill.records())
	s.story.tell(afterKill)
	return time.Since(killed), err
}

// appendBound turns an append that never ends into a violation.
const appendBound = 10 * time.Second

// goOn leaves the log at rest, after one more process's worth of appending.
func (s *scene) goOn(ended bool) error {
	s.child.reap()
	s.child = nil
	if s.op.resume != nil {
		if err := s.op.resume(s.dir, ended); err != nil {
			return err
		}
	}
	if s.survivor != nil {
		err := s.survivor.close()
		s.survivor = nil
		if err != nil {
			return fmt.Errorf("close the survivor: %w", err)
		}
	}
	a := &actor{dir: s.dir, op: s.op}
	defer a.close()
	if err := a.open(s.op.options); err != nil {
		return fmt.Errorf("open at the end: %w", err)
	}
	if err := a.appendAll(afterAll); err != nil {
		return fmt.Errorf("append at the end: %w", err)
	}
	s.story.tell(afterAll)
	return s.readAll(a.log)
}

// readAll reads the log as its users do; that the records are right is the
// checker's to say.
func (s *scene) readAll(l *log.Log) error {
	r, err := l.Reader(log.ReaderOptions{Until: log.End()})
	if err != nil {
		return fmt.Errorf("reader: %w", err)
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(context.Background(), appendBound)
	defer cancel()
	for _, err := range r.Records(ctx) {
		if err != nil {
			return fmt.Errorf("reader: %w", err)
		}
	}
	return nil
}

// judge has the checker read the log and compares it with the story.
func (s *scene) judge(ended bool) (visible bool, err error) {
	l, err := check.Read(s.dir, check.Options{})
	if err != nil {
		return false, err
	}
	starts := s.op.starts
	if starts == nil {
		starts = []int64{0}
	}
	if visible, err = s.story.judge(l, starts); err != nil {
		return visible, err
	}
	if s.op.check != nil {
		err = s.op.check(l, ended)
	}
	return visible, err
}
