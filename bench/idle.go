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
// of their own. The limit is to use nothing at all. They wait while the log of
// growth grows, if that is measured too: then it is mostly the disk that is busy. On
// cores that are busy each of the consumer's few wake-ups costs more.
type idlers struct {
	consumer, producer *proc.Worker
	began              time.Time
	before             [2]proc.Account
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

func (s *session) startIdlers() (err error) {
	dir := filepath.Join(s.root, "idlers")
	i := &idlers{}
	if i.producer, err = proc.Start(s.program, nil); err != nil {
		return err
	}
	if i.consumer, err = proc.Start(s.program, nil); err != nil {
		return err
	}
	s.idle = i
	if _, err := s.ask(i.producer, task{Job: "append", Dir: dir, Size: record, N: 1000, Flush: true}); err != nil {
		return err
	}
	if _, err := s.ask(i.consumer, task{Job: "follow", Dir: dir}); err != nil {
		return err
	}
	if err := i.consumer.Send(task{Job: "read", Dir: dir, N: 1, Size: record}); err != nil { // it waits
		return err
	}
	time.Sleep(2500 * time.Millisecond) // until the flush is done, and Go's runtime at rest
	i.began = time.Now()
	i.before[0], err = proc.AccountOf(i.consumer.Pid())
	if err != nil {
		return err
	}
	i.before[1], err = proc.AccountOf(i.producer.Pid())
	return err
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
	s.add(l.Judged("< 20 ms", cpu < 20).Noted("over %.0f s, awake %d times", waited.Seconds(), consumer.Switches-i.before[0].Switches))
	wakes := float64(producer.Switches - i.before[1].Switches)
	l = report.Single("idle", "producer idle and clean, wake-ups", "in all", []float64{wakes})
	s.add(l.Judged("0", wakes == 0).Noted("over %.0f s, all threads, %v of CPU", waited.Seconds(), producer.CPU-i.before[1].CPU))

	// The consumer must have been waiting in earnest: one more record ends it.
	dir := filepath.Join(s.root, "idlers")
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
