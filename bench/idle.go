package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed27ccf144/mlog/bench/internal/proc"
	"github.com/seed27ccf144/mlog/bench/internal/report"
)

// idlers are a consumer that waits and a producer that has nothing to do, on a log
// of their own, while the other rows are measured: doing nothing is not disturbed
// by them, and disturbs nobody. The limit is to use nothing at all.
type idlers struct {
	consumer, producer *proc.Worker
	began              time.Time
	before             [2]proc.Account
}

// idleFor is how long they wait at least: as long as the goal says, or a sixth.
func (s *session) idleFor() time.Duration { return s.slice(time.Minute, 10*time.Second) }

func (s *session) startIdlers() (*idlers, error) {
	dir := filepath.Join(s.root, "idle")
	i := &idlers{}
	var err error
	if i.producer, err = proc.Start(s.program, nil); err != nil {
		return nil, err
	}
	if i.consumer, err = proc.Start(s.program, nil); err != nil {
		return nil, err
	}
	if _, err := s.ask(i.producer, task{Job: "append", Dir: dir, Size: record, N: 1000, Flush: true}); err != nil {
		return nil, err
	}
	if _, err := s.ask(i.consumer, task{Job: "follow", Dir: dir}); err != nil {
		return nil, err
	}
	if err := i.consumer.Send(task{Job: "read", Dir: dir, N: 1, Size: record}); err != nil { // it waits
		return nil, err
	}
	time.Sleep(2500 * time.Millisecond) // until the flush is done, and Go's runtime at rest
	i.began = time.Now()
	i.before[0], err = proc.AccountOf(i.consumer.Pid())
	if err != nil {
		return nil, err
	}
	i.before[1], err = proc.AccountOf(i.producer.Pid())
	return i, err
}

func (i *idlers) judge(s *session) error {
	if rest := s.idleFor() - time.Since(i.began); rest > 0 {
		select {
		case <-time.After(rest):
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
	consumer, err := proc.AccountOf(i.consumer.Pid())
	if err != nil {
		return err
	}
	producer, err := proc.AccountOf(i.producer.Pid())
	if err != nil {
		return err
	}
	waited := time.Since(i.began)
	perMinute := float64(time.Minute) / float64(waited)
	cpu := float64(consumer.CPU-i.before[0].CPU) / 1e6 * perMinute
	l := report.Single("idle", "consumer waiting, CPU", "ms/minute", []float64{cpu})
	s.add(l.Judged("< 20 ms", cpu < 20).Noted("over %.0f s, %d times awake", waited.Seconds(), consumer.Switches-i.before[0].Switches))
	wakes := float64(producer.Switches - i.before[1].Switches)
	l = report.Single("idle", "producer idle and clean, wake-ups", "in all", []float64{wakes})
	s.add(l.Judged("0", wakes == 0).Noted("over %.0f s, all threads, %v of CPU", waited.Seconds(), producer.CPU-i.before[1].CPU))

	// The consumer must have been waiting in earnest: one more record ends it.
	dir := filepath.Join(s.root, "idle")
	if _, err := s.ask(i.producer, task{Job: "append", Dir: dir, Size: record, N: 1, Flush: true}); err != nil {
		return err
	}
	var r reply
	if err := i.consumer.Receive(&r); err != nil || r.Records != 1 {
		return fmt.Errorf("the consumer that waited did not get the record that came: %w", err)
	}
	i.consumer.Close()
	i.producer.Close()
	return os.RemoveAll(dir)
}
