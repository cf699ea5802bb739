package main

import (
	"errors"
	"fmt"
	"time"
)

func (s *show) produceSome() error {
	s.say("All commands run in %s, each as a process of its own.", s.dir)
	s.title(1, "Produce: a line is a record, the log is made on the way")
	s.shell(`printf 'p0 1\np0 2\np0 3\n' | mlog produce orders -o '%o %v\n'`)
	err := s.run("p0 1\np0 2\np0 3\n", s.both, "produce", demoLog, "-o", `%o %v\n`)
	if err != nil {
		return err
	}
	s.title(2, "Replay: everything from the start, to the end as it is now")
	s.shell(`mlog consume orders -e -f '%o %v\n'`)
	return s.run("", func(line []byte) { s.say("   %s", line) }, "consume", demoLog, "-e", "-f", `%o %v\n`)
}

func (s *show) follow() error {
	s.title(3, "Follow: a consumer waits for what comes")
	s.shell(`mlog consume orders -f '%o %v\n' &`)
	quiet := int64(3) // the first records were shown already
	follower, err := s.start("follower", func(line []byte) {
		s.follower.line(line)
		if n, _ := s.follower.progress(); n > quiet && n <= quiet+2 {
			s.say("   %-8s <- printed by the follower", line)
		}
	}, "consume", demoLog, "-f", `%o %v\n`)
	if err != nil {
		return err
	}
	s.still = append(s.still, follower)
	if err := s.await(func() bool { n, _ := s.follower.progress(); return n == quiet }, "the follower's first records"); err != nil {
		return err
	}
	s.say("   It replays the three records (not shown again) and waits. Now somebody produces:")
	s.shell(`printf 'p0 4\np0 5\n' | mlog produce orders -o '%o %v\n'`)
	err = s.run("p0 4\np0 5\n", s.both, "produce", demoLog, "-o", `%o %v\n`)
	if err != nil {
		return err
	}
	return s.await(func() bool { n, _ := s.follower.progress(); return n == quiet+2 }, "the follower's next records")
}

// crowd runs three producers and a group of two consumers beside the follower,
// and kills one of each.
func (s *show) crowd() error {
	s.title(4, "A crowd: three producers, the follower, and a group of two consumers")
	first, second, err := s.startGroup()
	if err != nil {
		return err
	}
	if err := s.startProducers(3); err != nil {
		return err
	}
	s.watch()

	s.title(5, "kill -9 for producer p2, in the middle of a hundred thousand records")
	if err := s.killProducer(); err != nil {
		return err
	}
	s.watch()

	s.title(6, "kill -9 for the active consumer of the group, in the middle of as many")
	if err := s.killConsumer(first, second); err != nil {
		return err
	}
	s.watch()

	s.title(7, "The end of their input ends the producers; everything is durable then")
	s.feeders[0].finish()
	s.feeders[2].finish()
	return errors.Join(s.producers[0].wait(), s.producers[2].wait())
}

// watch lets the crowd work for a while.
func (s *show) watch() {
	s.pause(1500 * time.Millisecond)
	if s.slow {
		s.pause(time.Second)
	}
	s.tellProgress()
}

func (s *show) startGroup() (first, second *child, err error) {
	args := []string{"consume", demoLog, "-g", "billing", "-f", `%o %v\n`}
	s.shell(`mlog consume orders -g billing -f '%o %v\n' &     # active`)
	if first, err = s.start("first consumer of the group", s.group[0].line, args...); err != nil {
		return nil, nil, err
	}
	if err := s.await(func() bool { n, _ := s.group[0].progress(); return n >= 5 }, "the group's first records"); err != nil {
		return nil, nil, err
	}
	s.shell(`mlog consume orders -g billing -f '%o %v\n' &     # stands by: one of a group is active`)
	second, err = s.start("second consumer of the group", s.group[1].line, args...)
	return first, second, err
}

func (s *show) startProducers(n int) error {
	for i := 1; i <= n; i++ {
		sheet := newSheet()
		s.acks = append(s.acks, sheet)
		s.shell(fmt.Sprintf(`count-up p%d | mlog produce orders -o '%%o %%v\n' &     # p%d 1, p%d 2, and so on`, i, i, i))
		c, err := s.start(fmt.Sprintf("producer p%d", i), sheet.line, "produce", demoLog, "-o", `%o %v\n`)
		if err != nil {
			return err
		}
		s.producers = append(s.producers, c)
		s.feeders = append(s.feeders, feed(c, uint16(i)))
	}
	return nil
}

// surge is how many records a producer gets at once before a kill, and
// midSurge how many of them are seen to be through when it comes: few enough
// that the victim is at work, and not at rest.
const (
	surge    = 100_000
	midSurge = 1_000
)

// amid gives a producer a surge of records and returns when the first of them
// show on the sheet.
func (s *show) amid(f *feeder, sheet *sheet) error {
	before, _ := sheet.progress()
	f.surge <- surge
	return s.await(func() bool { n, _ := sheet.progress(); return n >= before+midSurge }, "a surge of records")
}

func (s *show) killProducer() error {
	victim := s.producers[1]
	if err := s.amid(s.feeders[1], s.acks[2]); err != nil {
		return err
	}
	for _, a := range s.acks {
		a.resetPause()
	}
	s.shell(fmt.Sprintf("kill -9 %d", victim.cmd.Process.Pid))
	if err := victim.kill(); err != nil {
		return err
	}
	s.feeders[1].finish()
	s.pause(500 * time.Millisecond)
	s.say("   p1 and p3 go on; the longest that either waited for an acknowledgement was %s.",
		max(s.acks[1].longestPause(), s.acks[3].longestPause()).Round(time.Millisecond))
	return nil
}

func (s *show) killConsumer(first, second *child) error {
	if err := s.amid(s.feeders[0], s.group[0]); err != nil {
		return err
	}
	s.shell(fmt.Sprintf("kill -9 %d", first.cmd.Process.Pid))
	if err := first.kill(); err != nil {
		return err
	}
	began := time.Now()
	if err := s.await(func() bool { n, _ := s.group[1].progress(); return n > 0 }, "the group's second consumer"); err != nil {
		return err
	}
	s.say("   The second one took over within %s, at the offset the first one had committed.", time.Since(began).Round(time.Millisecond))
	s.still = append(s.still, second)
	return nil
}
