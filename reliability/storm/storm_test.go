//go:build unix

package storm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
)

var (
	kills = flag.Int("kills", 0, "processes to kill; 0: the short form's few")
	seed  = flag.Uint64("seed", 1, "of all that is drawn")
	keep  = flag.String("keep", "", "directory in which the logs are made, and stay")
)

const (
	shortKills = 48
	shortLogs  = 3 // one of each kind, see newLife
	// Each log has as many rounds at least, and the short form just as many.
	shortRounds = 2
	// mostShortLogs is how long the short form goes on if something did not happen.
	mostShortLogs = 9
)

// enoughDeaths are needed for a quantile to say something.
const enoughDeaths = 4

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
	recycled                          int // segments, at the ends of rounds, whose files were others before
	progress                          progress
	began                             time.Time
}

func (y *tally) String() string {
	return fmt.Sprintf("kills=%d seed=%d logs=%d rounds=%d massacres=%d acknowledged=%d consumed=%d overtaken=%d "+
		"takeovers=%d rolls=%d recycled=%d repairs=%d in %v, %v",
		y.kills, *seed, y.logs, y.rounds, y.massacres, y.acknowledged, y.consumed, y.overtaken,
		y.takeovers, y.rolls, y.recycled, y.repairs, time.Since(y.began).Round(time.Second), &y.progress)
}

// elsewhere is not 0 on systems where nothing is recycled.
var elsewhere = map[bool]int{false: 1}[filelock.CanShare]

// missing says what has to happen in a run and has not yet.
func (y *tally) missing() []string {
	var missing []string
	for _, must := range []struct {
		what string
		seen int
	}{
		{"three logs lived", y.logs / shortLogs},
		{"a lock was taken from a dead producer", y.takeovers},
		{"a log rolled", y.rolls},
		{"a file was recycled", y.recycled + elsewhere},
		{"a good log was repaired", y.repairs},
		{"retention was quicker than a consumer", y.overtaken},
		{"one died with the lock and survivors were timed", len(y.progress.held)},
	} {
		if must.seen == 0 {
			missing = append(missing, must.what)
		}
	}
	return missing
}

func TestStorm(t *testing.T) {
	want, long := *kills, *kills > 0
	if !long {
		want = shortKills
	}
	y := &tally{began: time.Now()}
	shown := time.Now()
	for y.kills < want || !long && y.logs < mostShortLogs && len(y.missing()) > 0 {
		weather(t, y, want)
		if long && time.Since(shown) > 10*time.Second {
			shown = time.Now()
			t.Logf("so far: %v", y)
		}
	}
	var wrong []string
	// Some deaths fall into moments in which a busy machine has no processor for the
	// survivors; what the log itself takes, it takes each time. So few deaths are
	// judged more kindly than many.
	part, measure := 0.25, wait.onMachine
	if long {
		part, measure = 0.5, wait.onClock
	}
	for _, waits := range [][]wait{y.progress.last, y.progress.held} {
		judged := times(waits, measure)
		if typical := quantile(judged, part); len(judged) >= enoughDeaths && typical > survivorBound {
			wrong = append(wrong, fmt.Sprintf("after %.0f %% of %d deaths the last survivor appended %v later or more, not within %v",
				100*(1-part), len(judged), typical, survivorBound))
		}
	}
	if missing := y.missing(); len(missing) > 0 && y.logs >= shortLogs {
		wrong = append(wrong, "this tested little, as it never happened that "+strings.Join(missing, ", that "))
	}
	t.Logf("violations=%d %v", len(wrong), y)
	for _, what := range wrong {
		t.Error(what) // last, see verdict
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
	rounds := shortRounds
	if *kills > 0 {
		rounds += l.random.IntN(4)
	}
	for ; l.round < rounds; l.round++ {
		victims := shortKills / shortLogs / shortRounds
		if *kills > 0 {
			victims = min(want/8+5+l.random.IntN(12), 60, want-y.kills)
		}
		if victims <= 0 {
			break
		}
		if err := l.play(y, victims); err != nil {
			t.Fatal(verdict(l, y, l.save(), err))
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
	if err := l.dismissBare(); err != nil {
		return err
	}
	if err := l.judge(!massacre, y); err != nil {
		return err
	}
	return l.tidy(y)
}
