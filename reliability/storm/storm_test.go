//go:build unix

package storm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 0, "processes to kill; 0: the short form's few")
	seed  = flag.Uint64("seed", 1, "of all that is drawn")
	keep  = flag.String("keep", "", "directory in which the logs are made, and stay")
)

const shortKills = 50

// enoughDeaths are needed for a quantile to say something.
const enoughDeaths = 8

func TestMain(m *testing.M) {
	text := os.Getenv(jobVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	if err := work(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A tally is what a run did.
type tally struct {
	logs, rounds, kills, massacres    int
	acknowledged, consumed, overtaken int
	takeovers, rolls, repairs         int
	progress                          progress
	began                             time.Time
}

func (y *tally) String() string {
	return fmt.Sprintf("kills=%d seed=%d logs=%d rounds=%d massacres=%d acknowledged=%d consumed=%d overtaken=%d "+
		"takeovers=%d rolls=%d repairs=%d in %v, %v",
		y.kills, *seed, y.logs, y.rounds, y.massacres, y.acknowledged, y.consumed, y.overtaken,
		y.takeovers, y.rolls, y.repairs, time.Since(y.began).Round(time.Second), &y.progress)
}

func TestStorm(t *testing.T) {
	want, long := *kills, *kills > 0
	if !long {
		want = shortKills
	}
	y := &tally{began: time.Now()}
	shown := time.Now()
	for y.kills < want {
		weather(t, y, want)
		if long && time.Since(shown) > 10*time.Second {
			shown = time.Now()
			t.Logf("so far: %v", y)
		}
	}
	t.Logf("violations=0 %v", y)
	// Some deaths fall into moments in which a busy machine has no processor for the
	// survivors; what the log itself takes, it takes each time. So few deaths are
	// judged more kindly than many.
	part := 0.25
	if long {
		part = 0.5
	}
	for _, waits := range [][]time.Duration{y.progress.last, y.progress.held} {
		if typical := quantile(waits, part); len(waits) >= enoughDeaths && typical > survivorBound {
			t.Errorf("after %.0f %% of the deaths the last survivor appended later than %v: %v",
				100*(1-part), survivorBound, &y.progress)
		}
	}
	if y.takeovers == 0 || y.rolls == 0 {
		t.Errorf("no lock was taken from a dead producer, or nothing rolled, so this tested little: %v", y)
	}
}

// weather is the life of one log.
func weather(t *testing.T, y *tally, want int) {
	place := t.TempDir()
	if *keep != "" {
		place = filepath.Join(*keep, fmt.Sprintf("storm-%d-%d", *seed, y.logs))
		if err := os.MkdirAll(place, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := newLife(y.logs, *seed, place)
	if err != nil {
		t.Fatal(err)
	}
	defer l.bury()
	y.logs++
	for rounds := 2 + l.random.IntN(4); l.round < rounds && y.kills < want; l.round++ {
		if err := l.play(y, min(want/8+5+l.random.IntN(12), 60, want-y.kills)); err != nil {
			saved := l.save()
			t.Fatalf("seed %d, %v: violations=1: %v\n%v\nthe log and the reports are in %s", *seed, l, err, y, saved)
		}
		y.rounds++
	}
}

// play is one round.
func (l *life) play(y *tally, kills int) error {
	if err := l.launch(); err != nil {
		return err
	}
	s := &script{life: l, left: kills}
	err := s.play()
	y.kills += s.killed
	if err != nil {
		return err
	}
	massacre := l.random.IntN(3) == 0
	if massacre {
		y.kills += l.kill(l.fleet...)
		y.massacres++
	} else if err := l.disband(); err != nil {
		return err
	}
	for _, p := range l.fleet {
		if err := p.complaint(); err != nil {
			return err
		}
	}
	if err := l.judge(!massacre, y); err != nil {
		return err
	}
	return l.tidy(y)
}
