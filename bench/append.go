package main

import (
	"context"
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/peer"
	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/stat"

	mlog "github.com/seed27ccf144/mlog/log"
)

const (
	// record is the size that most rows use.
	record = 256
	// burst is how many records go between two looks at the clock.
	burst = 64
)

// measureAppend has one producer append to a log that keeps 1 GiB and rolls
// steadily, in turns with the ring. The goal is judged without background
// flushes, which the ring has not got either; the default, a flush a second, is
// shown as well.
func measureAppend(s *session) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	log, err := s.rolling(w, "log")
	if err != nil {
		return err
	}
	slice := s.slice(300*time.Millisecond, 150*time.Millisecond)
	limit := task{Job: "limit-append", Dir: s.path("ring"), Bytes: s.kept(), Size: record, For: slice}
	append256 := task{Job: "append", Dir: log, Size: record, For: slice}
	figures, err := s.takeTurns(s.pairs(13, 5), s.rateOf(w, limit), s.rateOf(w, append256))
	if err != nil {
		return err
	}
	s.add(report.Paired("append", "append 256 B, 1 producer, visible, rolling", "records/s", "limit loop", figures[1], figures[0]).
		AtLeast(0.70, "≥ 0.70"))

	if !s.options.quick {
		if err := s.appendFlushed(limit); err != nil {
			return err
		}
	}
	flags := []string{"-work", "append", "-size", "256", "-seconds", "1"}
	s.againstPeer("append", "append 256 B", "tidwall-wal", "tidwall/wal", 15, "≥ 15", flags...)
	s.againstPeer("append", "append 256 B", "chronicle", "Chronicle Queue", 2, "≥ 2", flags...)
	return nil
}

// appendFlushed measures with the default flush: over more than the second that it
// comes every, in another process and log, so that its writing disturbs nothing
// but itself.
func (s *session) appendFlushed(limit task) error {
	w, err := s.start()
	if err != nil {
		return err
	}
	flushed := task{Job: "append", Dir: s.path("flushed"), Bytes: s.kept(), Size: record, Flush: true, For: 1200 * time.Millisecond}
	figures, err := s.takeTurns(min(3, s.pairs(3, 1)), s.rateOf(w, limit), func() (float64, error) {
		r, err := s.ask(w, flushed)
		if err != nil {
			return 0, err
		}
		_, err = s.ask(w, task{Job: "sync", Dir: flushed.Dir}) // nothing of it is left to disturb the limit loop
		return r.rate(), err
	})
	if err != nil {
		return err
	}
	s.add(report.Paired("append", "the same, flushed every second (default)", "records/s", "limit loop", figures[1], figures[0]))
	return nil
}

// kept is what a log in most rows keeps, and the size of the ring beside it.
func (s *session) kept() int64 {
	if s.options.quick {
		return 256 << 20
	}
	return 1 << 30
}

// rolling makes a log that has had more than it keeps, so that it drops old
// segments from then on, and that is not flushed.
func (s *session) rolling(w *proc.Worker, name string) (dir string, err error) {
	dir = s.path(name)
	_, err = s.ask(w, task{Job: "open", Dir: dir, Bytes: s.kept(), N: s.kept() + s.kept()/4})
	return dir, err
}

// rateOf is the side whose figure is a task's records a second.
func (s *session) rateOf(w *proc.Worker, t task) side {
	return func() (float64, error) {
		r, err := s.ask(w, t)
		return r.rate(), err
	}
}

// againstPeer adds a line that compares with a peer, or says why not. Both sides are
// measured as peers, by the same driver: records are made, and checked, alike.
func (s *session) againstPeer(row, what, name, title string, atLeast float64, goal string, flags ...string) {
	what += " vs " + title
	if s.options.quick {
		s.add(report.Missing(row, what, goal, "-quick leaves peers out"))
		return
	}
	own, err := s.ownPeer()
	if err != nil {
		s.add(report.Missing(row, what, goal, err.Error()))
		return
	}
	p, err := peer.Find("peers", name)
	if err != nil {
		s.add(report.Missing(row, what, goal, err.Error()))
		return
	}
	measured := func(p *peer.Peer) side {
		return func() (float64, error) {
			r, err := p.Bench(s.ctx, s.dir, flags...)
			return r.Rate, err
		}
	}
	figures, err := s.takeTurns(min(3, s.pairs(3, 1)), measured(own), measured(p))
	if err != nil {
		s.add(report.Missing(row, what, goal, err.Error()))
		return
	}
	line := report.Paired(row, what, "records/s", title, figures[0], figures[1])
	s.add(line.AtLeast(atLeast, goal).Noted("%d pairs, a second of each", stat.Of(figures[0]).N))
}

// ownPeer is mlog as one of the peers, of this tree, with a full log that rolls.
func (s *session) ownPeer() (*peer.Peer, error) {
	if s.steady != nil {
		return s.steady, nil
	}
	p, err := peer.Find("peers", "mlog-steady")
	if err == nil {
		err = p.Prepare(s.ctx)
	}
	if err != nil {
		return nil, err
	}
	s.steady = p
	return p, nil
}

func (w *worker) limitAppendJob(t task) (reply, error) {
	r, err := w.openRing(t.Dir, t.Bytes, t.Size)
	if err != nil {
		return reply{}, err
	}
	return timed(t, func(i int64) (int64, error) {
		for k := range int64(burst) {
			r.put(w.payload(i+k, t.Size))
		}
		return burst, nil
	})
}

func (w *worker) appendJob(t task) (reply, error) {
	l, err := w.open(t)
	if err != nil {
		return reply{}, err
	}
	ctx := context.Background()
	if t.N > 0 {
		return counted(t, func(i int64) error {
			_, err := l.visible.Append(ctx, mlog.Record{Value: w.payload(i, t.Size)})
			return err
		})
	}
	return timed(t, func(i int64) (int64, error) {
		for k := range int64(burst) {
			if _, err := l.visible.Append(ctx, mlog.Record{Value: w.payload(i+k, t.Size)}); err != nil {
				return 0, fmt.Errorf("record %d: %w", i+k, err)
			}
		}
		return burst, nil
	})
}
