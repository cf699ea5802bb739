package main

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureDurable has each append acknowledged when it is on disk: by one process,
// by eight, and by 64 goroutines of one. The limit loop writes the same records,
// one behind the other, into a file whose blocks were written before, and calls fdatasync
// after each: a record that is to survive a power cut by itself needs one such
// call. Those who wait at the same time may share it; what that comes to at best, for eight
// processes, the bare group shows.
//
// The log is full: it has had more than twice what it keeps, so its files, too, were written
// before. Who filled it appends durably as well, and had done so once before: pages that
// came into memory by appends which nobody wanted to be durable are synced in larger pieces
// (docs/design.md, "Durable"). A log that is new is measured besides: its blocks are written
// for the first time, which costs the filesystem more.
func measureDurable(s *session) error {
	workers, err := s.startN(8)
	if err != nil {
		return err
	}
	slice := s.slice(300*time.Millisecond, 150*time.Millisecond)
	bare := task{Job: "limit-durable", Dir: s.path("bare"), Size: record, For: slice, Bytes: 256 << 20}
	full := task{Job: "append-durable", Dir: s.path("log"), Size: record, Bytes: 256 << 20, Flush: true, For: slice, Many: 1}
	fill := full
	fill.Job, fill.N = "open", 2*full.Bytes+full.Bytes/2
	for _, t := range []task{full, fill, {Job: "sync", Dir: full.Dir}} {
		if _, err := s.ask(workers[0], t); err != nil {
			return err
		}
	}
	group := task{Job: "limit-group", Dir: s.path("group"), Size: record, Bytes: 64 << 20, For: slice}
	if _, err := s.ask(workers[0], group); err != nil { // one makes the files before the others open them
		return err
	}
	line := func(what string, own, limit []float64) report.Line {
		return report.Paired("durable", "durable append 256 B, "+what, "records/s", "write+fdatasync", own, limit)
	}
	figures, err := s.takeTurns(s.pairs(9, 5), s.rateOf(workers[0], bare), s.rateOf(workers[0], full),
		s.rateOfAll(workers, full), s.rateOf(workers[0], full.by(64)), s.rateOfAll(workers, group))
	if err != nil {
		return err
	}
	s.add(line("1 process, a full log", figures[1], figures[0]).AtLeast(0.85, "≥ 0.85"))
	s.add(line("8 processes, a full log", figures[2], figures[0]).AtLeast(5, "≥ 5"))
	s.add(report.Paired("durable", "the same, beside a bare group of 8", "records/s", "bare group", figures[2], figures[4]))
	s.add(report.Paired("durable", "a bare group of 8 processes", "records/s", "write+fdatasync", figures[4], figures[0]))
	s.add(line("64 goroutines, a full log", figures[3], figures[0]).AtLeast(30, "≥ 30"))
	if s.options.quick {
		return nil
	}
	young := full
	young.Dir, young.Bytes = s.path("new"), s.kept()
	figures, err = s.takeTurns(s.pairs(4, 3), s.rateOf(workers[0], bare), s.rateOf(workers[0], young), s.rateOf(workers[0], young.by(64)))
	if err != nil {
		return err
	}
	s.add(line("1 process, a new log", figures[1], figures[0]))
	s.add(line("64 goroutines, a new log", figures[2], figures[0]))
	return nil
}

// by is the task done by so many goroutines.
func (t task) by(many int) task {
	t.Many = many
	return t
}

// rateOfAll is the side whose figure is the records a second of all workers together.
func (s *session) rateOfAll(workers []*proc.Worker, t task) side {
	return func() (float64, error) {
		replies, err := s.askAll(workers, t)
		if err != nil {
			return 0, err
		}
		rate, _ := total(replies)
		return rate, nil
	}
}

func (w *worker) durableJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	ctx := context.Background()
	one := func(i int64) (int64, error) {
		_, err := l.durable.Append(ctx, mlog.Record{Value: w.payload(i, t.Size)})
		return 1, err
	}
	if t.Many == 1 {
		return timed(t, one)
	}
	proc.Until(t.At)
	var (
		r      = reply{Began: shm.Now()}
		count  atomic.Int64
		all    sync.WaitGroup
		failed = make(chan error, t.Many)
	)
	end := r.Began + int64(t.For)
	for range t.Many {
		all.Go(func() {
			for shm.Now() < end {
				if _, err := one(count.Add(1)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	r.Records, r.Ended = count.Load(), shm.Now()
	select {
	case err := <-failed:
		return reply{}, err
	default:
		return r, nil
	}
}

// limitDurableJob goes through a file whose blocks were written before, so that no
// write changes anything but the data: the least that there is to sync.
func (w *worker) limitDurableJob(t task) (reply, error) {
	f, err := os.OpenFile(t.Dir, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return reply{}, err
	}
	defer f.Close()
	fd := int(f.Fd())
	if info, err := f.Stat(); err != nil || info.Size() < t.Bytes {
		if err := fill(fd, t.Bytes, 1<<20); err != nil {
			return reply{}, err
		}
	}
	at := w.bareAt
	r, err := timed(t, func(i int64) (int64, error) {
		if _, err := unix.Pwrite(fd, w.payload(i, t.Size), at); err != nil {
			return 0, err
		}
		at = (at + int64(t.Size)) % t.Bytes
		return 1, unix.Fdatasync(fd)
	})
	w.bareAt = at
	return r, err
}

// fill writes a file with zeros, so many at a time, to the disk.
func fill(fd int, bytes int64, piece int) error {
	zeros := make([]byte, piece)
	for at := int64(0); at < bytes; at += int64(len(zeros)) {
		if _, err := unix.Pwrite(fd, zeros, at); err != nil {
			return err
		}
	}
	return unix.Fsync(fd)
}
