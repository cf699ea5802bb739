package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func newDemo() *command {
	c := &command{
		name:    "demo",
		summary: "several processes, a kill -9, nothing lost: in a quarter of a minute",
		examples: []string{
			"mlog demo",
			"mlog demo --keep    # leaves the log, to look around in",
		},
		details: `Runs this program as several real processes in a temporary directory, shows the
commands, kills a producer and a consumer in mid-flight, and counts: what was
acknowledged to producers against what consumers printed. Exit 1 if anything was
lost or doubled.`,
		flags: newFlags("demo"),
	}
	keep := c.flags.Bool("keep", false, "keep the temporary directory")
	c.run = func(std *streams, args []string) error {
		ctx, cancel := untilSignal()
		defer cancel()
		ctx = untilReaderGone(ctx, std.out)
		return demo(ctx, std, *keep)
	}
	return c
}

// demoLog is the log's name in the demo's directory.
const demoLog = "orders"

// A show is one run of the demo.
type show struct {
	stage
	w     io.Writer
	paint palette
	slow  bool // a person watches, who wants to read

	evidence
	producers []*child // p1, p2, p3
	feeders   []*feeder
	still     []*child // consumers that run to the end
}

func demo(ctx context.Context, std *streams, keep bool) (err error) {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's file, to run it again: %w", err)
	}
	dir, err := os.MkdirTemp("", "mlog-demo-")
	if err != nil {
		return err
	}
	s := &show{
		stage: stage{ctx: ctx, exe: exe, dir: dir}, w: std.out, paint: newPalette(std.out), slow: isTerminal(std.out),
		evidence: evidence{
			acks:   []*sheet{newSheet()}, // of p0, the short-lived producers
			victim: 2, replay: newSheet(), follower: newSheet(), group: [2]*sheet{newSheet(), newSheet()},
		},
	}
	defer func() {
		s.cleanUp()
		if keep {
			s.say("\nThe log is in %s.", filepath.Join(dir, demoLog))
		} else if rerr := os.RemoveAll(dir); err == nil {
			err = rerr
		}
		switch {
		case errors.Is(context.Cause(ctx), errReaderGone):
			err = nil
		case ctx.Err() != nil:
			err = errors.New("stopped before its end")
		}
	}()
	for _, scene := range []func() error{s.produceSome, s.follow, s.crowd, s.count} {
		if err := scene(); err != nil {
			return err
		}
	}
	return nil
}

func (s *show) say(format string, args ...any) { fmt.Fprintf(s.w, format+"\n", args...) }

func (s *show) title(n int, text string) {
	if s.slow {
		s.pause(time.Second)
	}
	s.say("\n%s", s.paint.bold(fmt.Sprintf("%d. %s", n, text)))
}

func (s *show) shell(command string) { s.say("   $ %s", s.paint.green(command)) }

// both prints a line that a producer printed, and takes it down.
func (s *show) both(line []byte) {
	s.say("   %-8s <- printed by produce -o, once it is acknowledged", line)
	s.acks[0].line(line)
}

func (s *show) tellProgress() {
	var acknowledged int64
	for _, a := range s.acks {
		n, _ := a.progress()
		acknowledged += n
	}
	printed, _ := s.follower.progress()
	_, first := s.group[0].progress()
	_, second := s.group[1].progress()
	s.say("   so far: %s acknowledged, %s printed by the follower, %s by the group",
		grouped(acknowledged), grouped(printed), grouped(max(first, second)+1))
}

// count lets the consumers reach the end, and compares.
func (s *show) count() error {
	end, err := s.endOffset()
	if err != nil {
		return err
	}
	atEnd := func() bool {
		_, f := s.follower.progress()
		_, g := s.group[1].progress()
		return f >= end-1 && g >= end-1
	}
	lateErr := s.await(atEnd, "the consumers to reach the end")
	for _, c := range s.still {
		if err := c.interrupt(); err != nil {
			return err
		}
	}
	if err := s.run("", s.replay.line, "consume", demoLog, "-e", "-f", `%o %v\n`); err != nil {
		return err
	}
	v := judge(s.evidence)
	s.account(v)
	switch {
	case !v.good():
		return fmt.Errorf("%d records lost, %d doubled, %d unexplained: this must never happen; please report it with this output", v.lost, v.doubled, v.strange)
	case lateErr != nil:
		return lateErr
	}
	return nil
}

func (s *show) account(v verdict) {
	s.title(8, "The account: what producers were told against what consumers printed")
	row := func(name string, n int64, note string) { s.say("   %-14s %12s   %s", name, grouped(n), note) }
	row("acknowledged", v.acknowledged, "records that their producers know to be in the log")
	row("kept besides", v.kept, "written by the killed producer, which died before it heard so: not lost")
	row("received", v.received, "printed by the follower, in order, each once")
	row("lost", v.lost, "acknowledged, but not received by the follower, the group and a replay alike")
	row("doubled", v.doubled, "in the log twice, or printed twice by one process")
	row("printed again", v.again, "by the group's second consumer: the first had printed, not yet committed them")
	for _, p := range v.problems {
		s.say("   %s", s.paint.red(p))
	}
	if v.good() {
		s.say("\n%s", s.paint.green("Nothing lost, nothing doubled."))
	}
}

// endOffset asks the log as a script would.
func (s *show) endOffset() (int64, error) {
	s.shell(`mlog info orders --json`)
	var text strings.Builder
	if err := s.run("", func(line []byte) { text.Write(line) }, "info", demoLog, "--json"); err != nil {
		return 0, err
	}
	var info infoJSON
	if err := json.Unmarshal([]byte(text.String()), &info); err != nil {
		return 0, fmt.Errorf("mlog info --json: %w", err)
	}
	s.say(`   {"end_offset":%d,"durable_offset":%d,…}`, info.EndOffset, info.DurableOffset)
	return info.EndOffset, nil
}

func (s *show) pause(d time.Duration) {
	select {
	case <-s.ctx.Done():
	case <-time.After(d):
	}
}

// await waits for something that must come soon.
func (s *show) await(ready func() bool, what string) error {
	const patience = 15 * time.Second
	for deadline := time.Now().Add(patience); !ready(); s.pause(time.Millisecond) {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v for %s", patience, what)
		}
	}
	return nil
}
