package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
	"github.com/seed27ccf144/mlog/bench/internal/stat"
)

// idlers are processes that have nothing to do: consumers that wait and producers,
// a pair on a log of its own, and beside them bare ones, which are the limit. Those
// are the same program and never touched a log: what Go's runtime does in a process
// that sleeps, they do too. There are some of each, as few wake-ups are to be told
// from none.
//
// They wait while the log of growth grows, if that is measured too: then it is mostly
// the disk that is busy. On cores that are busy each of a consumer's few wake-ups
// costs more.
type idlers struct {
	consumers, producers, bare idling
	began                      time.Time
}

// idlersEach is how many there are of each kind.
const idlersEach = 3

// idling are processes of one kind, and what they had used up when the wait began.
type idling struct {
	workers []*proc.Worker
	before  []proc.Account
}

// idleFor is how long they wait at least: as long as the goal says, or a sixth.
func (s *session) idleFor() time.Duration { return s.slice(time.Minute, 10*time.Second) }

// measureIdle goes on with the idlers that wait already, or starts them.
func measureIdle(s *session) error {
	if s.idle == nil {
		if err := s.startIdlers(); err != nil {
			return err
		}
	}
	return s.idle.judge(s)
}

func (i *idlers) all() []*idling { return []*idling{&i.consumers, &i.producers, &i.bare} }

func (i *idlers) kill() {
	for _, kind := range i.all() {
		for _, w := range kind.workers {
			w.Kill()
		}
	}
}

// idlersLog is the log of one producer and one consumer.
func (s *session) idlersLog(n int) string { return filepath.Join(s.root, fmt.Sprint("idlers", n)) }

func (s *session) startIdlers() error {
	i := &idlers{}
	s.idle = i
	for n := range idlersEach {
		for _, kind := range i.all() {
			w, err := proc.Start(s.program, nil)
			if err != nil {
				return err
			}
			kind.workers = append(kind.workers, w)
		}
		dir := s.idlersLog(n)
		if _, err := s.ask(i.producers.workers[n], task{Job: "append", Dir: dir, Size: record, N: 1000, Flush: true}); err != nil {
			return err
		}
		if _, err := s.ask(i.consumers.workers[n], task{Job: "follow", Dir: dir}); err != nil {
			return err
		}
		if err := i.consumers.workers[n].Send(task{Job: "read", Dir: dir, N: 1, Size: record}); err != nil { // it waits
			return err
		}
		if _, err := s.ask(i.bare.workers[n], task{Job: "nothing"}); err != nil {
			return err
		}
	}
	time.Sleep(2500 * time.Millisecond) // until the flushes are done, and Go's runtime at rest
	i.began = time.Now()
	for _, kind := range i.all() {
		for _, w := range kind.workers {
			a, err := proc.AccountOf(w.Pid())
			if err != nil {
				return err
			}
			kind.before = append(kind.before, a)
		}
	}
	return nil
}

// used returns milliseconds of CPU and wake-ups of each process since the wait began.
func (k *idling) used() (cpu, wakes []float64, err error) {
	for n, w := range k.workers {
		a, err := proc.AccountOf(w.Pid())
		if err != nil {
			return nil, nil, err
		}
		cpu = append(cpu, float64(a.CPU-k.before[n].CPU)/1e6)
		wakes = append(wakes, float64(a.Switches-k.before[n].Switches))
	}
	return cpu, wakes, nil
}

func (i *idlers) judge(s *session) error {
	if rest := s.idleFor() - time.Since(i.began); rest > 0 {
		select {
		case <-time.After(rest):
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	var cpu, wakes [3][]float64
	var err error
	for k, kind := range i.all() {
		if cpu[k], wakes[k], err = kind.used(); err != nil {
			return err
		}
	}
	waited := time.Since(i.began)
	const consumer, producer, bare = 0, 1, 2
	for k := range cpu {
		for n := range cpu[k] {
			cpu[k][n] *= float64(time.Minute) / float64(waited)
		}
	}
	l := report.Paired("idle", "consumer waiting, CPU", "ms/minute", "bare process", cpu[consumer], cpu[bare])
	l.Ratio, l.Compare = stat.Of(stat.Differences(cpu[consumer], cpu[bare])), "difference, ms"
	s.add(l.Judged("< 20 ms", l.Mlog < 20).Noted("%d of each over %.0f s, awake %.0f times", idlersEach, waited.Seconds(), stat.Median(wakes[consumer])))
	l = report.Paired("idle", "producer idle and clean", "wake-ups", "bare process", wakes[producer], wakes[bare])
	l.Ratio, l.Compare = stat.Of(stat.Differences(wakes[producer], wakes[bare])), "difference, wake-ups"
	s.add(l.Judged("0 more", l.Ratio.Median <= 0).Noted("%d of each over %.0f s, all threads; the bare ones' are of Go's runtime; CPU %.2f ms, bare %.2f",
		idlersEach, waited.Seconds(), stat.Median(cpu[producer]), stat.Median(cpu[bare])))
	return i.end(s)
}

// end has each consumer get a record more: they must have been waiting in earnest.
func (i *idlers) end(s *session) error {
	for n := range idlersEach {
		if _, err := s.ask(i.producers.workers[n], task{Job: "append", Dir: s.idlersLog(n), Size: record, N: 1, Flush: true}); err != nil {
			return err
		}
		var r reply
		if err := i.consumers.workers[n].Receive(&r); err != nil || r.Records != 1 {
			return fmt.Errorf("the consumer that waited did not get the record that came: %w", err)
		}
	}
	s.idle = nil
	for _, kind := range i.all() {
		for _, w := range kind.workers {
			w.Close()
		}
	}
	for n := range idlersEach {
		if err := os.RemoveAll(s.idlersLog(n)); err != nil {
			return err
		}
	}
	return nil
}
