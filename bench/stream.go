package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/shm"

	mlog "github.com/seed27ccf144/mlog/log"
)

// measureStream has one process append as fast as it can and another follow and
// verify, until that one has the last record. Beside it the same two processes
// hand the same records over by the ring alone: copy and hash on one side, hash and
// compare on the other, which is what "verified" means and so cannot be left out.
func measureStream(s *session) error {
	workers, err := s.startN(2)
	if err != nil {
		return err
	}
	producer, consumer := workers[0], workers[1]
	log, err := s.rolling(producer, "log")
	if err != nil {
		return err
	}
	if _, err := s.ask(consumer, task{Job: "follow", Dir: log}); err != nil {
		return err
	}
	// One process makes the ring before the other opens it.
	ring := task{Job: "ring-write", Dir: s.path("ring"), Bytes: s.kept(), Size: record}
	if _, err := s.ask(producer, ring); err != nil {
		return err
	}
	pace := streaming{s.slice(400*time.Millisecond, 200*time.Millisecond), s.kept() / 2 / (record + frameHeader)}
	own := s.streamed(producer, consumer, task{Job: "append", Dir: log, Size: record}, "read", 200_000, pace)
	limit := s.streamed(producer, consumer, ring, "ring-read", 500_000, pace)
	figures, err := s.takeTurns(s.pairs(11, 5), limit, own)
	if err != nil {
		return err
	}
	what := "1 producer to 1 verifying consumer, 256 B"
	s.add(report.Paired("stream", what, "records/s", "limit loop's pair", figures[1], figures[0]).AtLeast(0.70, "≥ 0.70"))
	flags := []string{"-work", "stream", "-size", "256", "-seconds", "1"}
	s.againstPeer("stream", "1 to 1, 256 B", "pipe", "a pipe", 3, "≥ 3", flags...)
	s.againstPeer("stream", "1 to 1, 256 B", "aeron-ipc", "Aeron IPC", 1, "≥ 1", flags...)
	return nil
}

// streaming says how many records one measurement streams: what about fills the
// slice, going by the one before, and never more than the log keeps.
type streaming struct {
	slice time.Duration
	most  int64
}

// streamed is the side whose figure is the records a second from the common
// beginning until the consumer has the last.
func (s *session) streamed(producer, consumer *proc.Worker, write task, read string, first int64, pace streaming) side {
	n := first
	return func() (float64, error) {
		t := write
		t.N = n
		replies, err := s.askAll([]*proc.Worker{producer, consumer}, t, task{Job: read, Dir: t.Dir, N: n, Size: t.Size, Bytes: t.Bytes})
		if err != nil {
			return 0, err
		}
		both := replies[1]
		both.Began, both.Ended = min(both.Began, replies[0].Began), max(both.Ended, replies[0].Ended)
		n = min(max(int64(both.rate()*pace.slice.Seconds()), 1000), pace.most)
		return both.rate(), nil
	}
}

// followJob opens a reader at the end of the log, for readJob to go on with.
func (w *worker) followJob(t task) (reply, error) {
	l, err := mlog.Open(t.Dir, mlog.Options{MustExist: true})
	if err != nil {
		return reply{}, err
	}
	r, err := l.Reader(mlog.ReaderOptions{From: mlog.End(), Spin: t.Spin})
	if err != nil {
		return reply{}, err
	}
	w.readers[t.Dir] = r
	return reply{}, nil
}

// readJob reads the next N records, and sees to it that none is left out. Their
// checksums the reader sees to.
func (w *worker) readJob(t task) (reply, error) {
	r, ok := w.readers[t.Dir]
	if !ok {
		return reply{}, fmt.Errorf("no reader of %s", t.Dir)
	}
	next := r.Offset()
	ctx := context.Background()
	return counted(t, func(i int64) error {
		rec, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if rec.Offset != next+i || len(rec.Value) != t.Size {
			return fmt.Errorf("offset %d with %d bytes, want %d with %d", rec.Offset, len(rec.Value), next+i, t.Size)
		}
		return nil
	})
}

// counted does step N times.
func counted(t task, step func(i int64) error) (reply, error) {
	proc.Until(t.At)
	r := reply{Records: t.N, Began: shm.Now()}
	for i := range t.N {
		if err := step(i); err != nil {
			return reply{}, fmt.Errorf("record %d: %w", i, err)
		}
	}
	r.Ended = shm.Now()
	return r, nil
}
