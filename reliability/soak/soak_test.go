//go:build linux

package soak

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
)

var (
	rolls = flag.Int("rolls", 0, "new segments of the log that all share; 0: the short form's few")
	seed  = flag.Uint64("seed", 1, "of all that is drawn")
	keep  = flag.String("keep", "", "directory in which the logs are made, and stay")
)

// A plan is how long a run is. Between two checkpoints the log that all share rolls
// its part of the rolls, and the others have their wraps and steps of the clock.
type plan struct{ rolls, checkpoints, wraps, clockSteps int }

var (
	shortPlan = plan{rolls: 200, checkpoints: 6, wraps: 1, clockSteps: 4}
	longPlan  = plan{checkpoints: 40, wraps: 5, clockSteps: 10}
)

func TestMain(m *testing.M) {
	text := os.Getenv(jobVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := runJob(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A soaking is a run.
type soaking struct {
	*world
	*wrapper
	*clocked
	plan
	began  time.Time
	passed int // checkpoints
}

func TestSoak(t *testing.T) {
	s := &soaking{began: time.Now(), plan: shortPlan}
	if *rolls > 0 {
		s.plan = longPlan
		s.plan.rolls = *rolls
	}
	place := placeFor(t)
	err := s.run(place, t.Logf)
	if s.world != nil {
		defer s.world.bury()
	}
	if err != nil {
		t.Fatalf("violations=1 seed=%d, after checkpoint %d: %v\nthe logs are in %s", *seed, s.passed, err, save(place))
	}
	violations := 0 // others end the run
	// Few deaths need not have met anybody with the lock.
	if takeovers := s.takeovers(); takeovers == 0 && s.killed.Load() >= 20 || s.dropped == 0 || s.back == 0 {
		violations++
		t.Errorf("this tested little: %d locks were taken from the dead, %d steps of the clock back, and after %d steps something was dropped",
			takeovers, s.back, s.dropped)
	}
	t.Logf("violations=%d %v", violations, s)
}

func placeFor(t *testing.T) string {
	if *keep == "" {
		return t.TempDir()
	}
	place := filepath.Join(*keep, fmt.Sprintf("soak-%d-%d", *seed, os.Getpid()))
	if err := os.MkdirAll(place, 0o700); err != nil {
		t.Fatal(err)
	}
	return place
}

// save brings the logs to where the end of the test does not remove them.
func save(place string) string {
	if *keep != "" {
		return place
	}
	to, err := os.MkdirTemp("", "mlog-soak-")
	if err == nil {
		err = os.Rename(place, filepath.Join(to, "logs"))
	}
	if err != nil {
		return fmt.Sprintf("%s, until the test ends (%v)", place, err)
	}
	return to
}

func (s *soaking) run(place string, say func(string, ...any)) (err error) {
	if s.world, err = newWorld(place, *seed, s.checkpoints/2); err != nil {
		return err
	}
	if s.wrapper, err = newWrapper(s.world); err != nil {
		return err
	}
	if s.clocked, err = newClocked(place, *seed); err != nil {
		return err
	}
	for i := range s.checkpoints {
		if err := s.stage(uint64(s.plan.rolls * (i + 1) / s.checkpoints)); err != nil {
			return err
		}
		s.passed++
		if *rolls > 0 {
			say("so far: %v", s)
		}
	}
	if err := s.wrapped(); err != nil {
		return err
	}
	if err := s.clocked.close(); err != nil {
		return err
	}
	if s.recycled == 0 && filelock.CanShare {
		return errors.New("no file was recycled")
	}
	return s.world.end()
}

// stage is what happens between two checkpoints.
func (s *soaking) stage(rolls uint64) error {
	if err := s.world.live(rolls); err != nil {
		return err
	}
	for range s.plan.wraps {
		if err := s.wrapper.pass(s.world.random); err != nil {
			return fmt.Errorf("wrap %d: %w", s.passes, err)
		}
	}
	if err := s.wrapper.judge(); err != nil {
		return err
	}
	for range s.clockSteps {
		if err := s.clocked.step(); err != nil {
			return err
		}
	}
	return s.world.checkpoint()
}

// wrapped is an error if the word of the shared log has not come past 2^32.
func (s *soaking) wrapped() error {
	word, err := wakeWord(s.world.dir, sequenceAt)
	if err == nil && word >= s.startedAt {
		err = fmt.Errorf("the word that consumers sleep on began with %d, and with %d did not wrap", s.startedAt, word)
	}
	return err
}

func (s *soaking) String() string {
	here := &s.here.done
	slow, all := s.slow()
	return fmt.Sprintf("seed=%d checkpoints=%d rolls=%d recycled=%d producers=%d killed=%d takeovers=%d readers=%d members=%d acknowledged=%d "+
		"verified=%d wraps=%d wakeups=%d late=%d clock-steps=%d back=%d clock-rolls=%d "+
		"threads/descriptors/mappings/goroutines/heap %v..%v and %v..%v in %v",
		*seed, s.passed, s.seen.Control.Rolls, s.recycled, here.Opened.Load()+s.there.Opened+s.opened.Load(), s.killed.Load(), s.takeovers(),
		here.Readers.Load()+s.there.Readers, here.Joined.Load()+s.there.Joined, s.ledger.acknowledged,
		s.verified, s.passes, all, slow, s.steps, s.back, s.clocked.rolls,
		&s.ours.first, &s.ours.last, &s.theirs.first, &s.theirs.last, time.Since(s.began).Round(time.Second))
}
