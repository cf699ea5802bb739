package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/internal/peer"
	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"
)

// A session is one run of the benchmark: what rows need, and where they put what
// they find.
type session struct {
	ctx      context.Context
	options  options
	program  string // that workers run
	root     string
	dir      string // of the row
	progress *progress
	report   *report.Report
	workers  []*proc.Worker // of the row
	idle     *idlers
	steady   *peer.Peer // mlog, once it is built
}

func (s *session) close() {
	if s.idle != nil {
		s.idle.kill()
	}
	_ = os.RemoveAll(s.root)
}

func (s *session) add(l report.Line) { s.report.Lines = append(s.report.Lines, l) }

// inDir gives a row a directory of its own, and ends its workers after it. What they
// leave for the disk to write is written before the next row begins.
func (s *session) inDir(name string, f func() error) error {
	s.dir = filepath.Join(s.root, name)
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	defer unix.Sync()
	defer os.RemoveAll(s.dir)
	defer func() {
		for _, w := range s.workers {
			w.Close()
		}
		s.workers = nil
	}()
	return f()
}

// measures reports whether a row is among those asked for.
func (s *session) measures(name string) bool {
	return regexp.MustCompile(s.options.only).MatchString(name)
}

// path returns a name in the row's directory.
func (s *session) path(name string) string { return filepath.Join(s.dir, name) }

// start starts a worker that ends with the row.
func (s *session) start(cpus ...int) (*proc.Worker, error) {
	w, err := proc.Start(s.program, cpus)
	if err == nil {
		s.workers = append(s.workers, w)
	}
	return w, err
}

// startN starts workers that any core may run.
func (s *session) startN(n int) ([]*proc.Worker, error) {
	var workers []*proc.Worker
	for range n {
		w, err := s.start()
		if err != nil {
			return nil, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

// ask has a worker do one task and waits for it.
func (s *session) ask(w *proc.Worker, t task) (reply, error) {
	r, err := s.askAll([]*proc.Worker{w}, t)
	if err != nil {
		return reply{}, err
	}
	return r[0], nil
}

// headStart is how long before the common beginning tasks are handed out.
const headStart = 5 * time.Millisecond

// askAll has workers do tasks at the same time: each its own, or all the one that
// is given. They begin at one moment.
func (s *session) askAll(workers []*proc.Worker, tasks ...task) ([]reply, error) {
	at := shm.Now() + int64(headStart)
	replies := make([]reply, len(workers))
	for i, w := range workers {
		t := tasks[min(i, len(tasks)-1)]
		t.At, t.Worker, t.Seed = at, i, s.options.seed
		if err := w.Send(t); err != nil {
			return nil, err
		}
	}
	var failed error
	for i, w := range workers {
		if err := w.Receive(&replies[i]); err != nil && failed == nil {
			failed = fmt.Errorf("%s: %w", tasks[min(i, len(tasks)-1)].Job, err)
		}
	}
	return replies, failed
}

// A side is one of the things that are measured in turns.
type side func() (figure float64, err error)

// takeTurns measures the sides n times each, after a round that does not count,
// and returns the figures of each. Every other round goes backwards, and every
// second begins one further, so that none always comes after the same other one.
func (s *session) takeTurns(n int, sides ...side) ([][]float64, error) {
	figures := make([][]float64, len(sides))
	for round := range n + 1 {
		s.progress.step(round, n)
		for i := range sides {
			i = turn(round, i, len(sides))
			figure, err := sides[i]()
			if err != nil {
				return nil, err
			}
			if round > 0 {
				figures[i] = append(figures[i], figure)
			}
		}
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
	}
	return figures, nil
}

// turn returns which of n sides is the i-th of a round.
func turn(round, i, n int) int {
	i = (i + round/2) % n
	if round%2 == 1 {
		return n - 1 - i
	}
	return i
}

// pairs returns how many pairs to measure.
func (s *session) pairs(full, quick int) int {
	switch {
	case s.options.pairs > 0:
		return s.options.pairs
	case s.options.quick:
		return quick
	}
	return full
}

// slice returns how long to measure one side once.
func (s *session) slice(full, quick time.Duration) time.Duration {
	if s.options.quick {
		return quick
	}
	return full
}

// room returns the bytes that are free where logs are.
func (s *session) room() int64 {
	var fs unix.Statfs_t
	if unix.Statfs(s.root, &fs) != nil {
		return 0
	}
	return int64(fs.Bavail) * fs.Bsize
}

// apart returns two cores, or false if there is but one.
func apart() (a, b int, ok bool) {
	cpus := proc.CPUs()
	if len(cpus) < 2 {
		return 0, 0, false
	}
	return cpus[0], cpus[1], true
}
