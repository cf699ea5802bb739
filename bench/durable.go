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
// one behind the other, into a file whose blocks are there, and calls fdatasync
// after each: a record that is to survive a power cut by itself needs one such
// call. Those who wait at the same time may share it.
func measureDurable(s *session) error {
	const processes, goroutines = 8, 64
	workers, err := s.startN(processes)
	if err != nil {
		return err
	}
	slice := s.slice(300*time.Millisecond, 150*time.Millisecond)
	t := task{Job: "append-durable", Dir: s.path("log"), Size: record, Bytes: s.kept(), Flush: true, For: slice, Many: 1}
	if _, err := s.ask(workers[0], t); err != nil {
		return err
	}
	if _, err := s.askAll(workers, t); err != nil {
		return err
	}
	bare := task{Job: "limit-durable", Dir: s.path("bare"), Size: record, For: slice, Bytes: 256 << 20}
	many := t
	many.Many = goroutines
	figures, err := s.takeTurns(s.pairs(9, 5), s.rateOf(workers[0], bare), s.rateOf(workers[0], t),
		func() (float64, error) {
			replies, err := s.askAll(workers, t)
			if err != nil {
				return 0, err
			}
			rate, _ := total(replies)
			return rate, nil
		}, s.rateOf(workers[0], many))
	if err != nil {
		return err
	}
	line := func(what string, own []float64) report.Line {
		return report.Paired("durable", "durable append 256 B, "+what, "records/s", "write+fdatasync", own, figures[0])
	}
	s.add(line("1 process", figures[1]).AtLeast(0.85, "≥ 0.85"))
	s.add(line("8 processes", figures[2]).AtLeast(5, "≥ 5"))
	s.add(line("64 goroutines", figures[3]).AtLeast(30, "≥ 30"))
	return nil
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
		if err := fill(fd, t.Bytes); err != nil {
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

// fill writes a file with zeros, to the disk.
func fill(fd int, bytes int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < bytes; at += int64(len(zeros)) {
		if _, err := unix.Pwrite(fd, zeros, at); err != nil {
			return err
		}
	}
	return unix.Fsync(fd)
}
