//go:build unix

package storm

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// A life is that of one log, from its creation to its removal: some rounds with
// the same settings.
type life struct {
	number  int
	random  *rand.Rand
	nonce   uint64
	place   string // directory of the log and the reports
	options mlog.Options
	least   int64 // bytes that retention leaves at least; 0: it drops nothing
	trims   bool
	roles   []string

	nextID uint32
	round  int
	fleet  []*process // of this round, living or to be replaced
	past   []*process // of this round, replaced
	bare   *process   // of this round
	deaths []death
	truth  *truth
	seen   check.Control // as it was when the last round was judged
}

// A death is one moment in which some of the fleet were killed.
type death struct {
	at   time.Time
	held bool // one of them held the producers' lock, as far as one can see, and nobody came after it
}

const (
	smallestSegment = 64 << 10
	groups          = 2
)

// newLife draws the settings of a log.
func newLife(number int, seed uint64, place string) (*life, error) {
	random := rand.New(rand.NewPCG(seed, uint64(number)))
	l := &life{
		number: number, random: random, nonce: scramble(seed) + uint64(number), place: place, nextID: 1, truth: newTruth(),
		options: mlog.Options{
			// Most have the smallest segments, since those roll the most.
			SegmentBytes: smallestSegment * []int64{1, 1, 1, 2, 4}[random.IntN(5)],
			FlushEvery:   []time.Duration{-1, 10 * time.Millisecond, 0}[random.IntN(3)],
		},
		roles: []string{"single", "batch", "roller", "start", "member", "member", "auditor"},
	}
	l.roles = append(l.roles, []string{"durable", "hasty"}[random.IntN(2)], []string{"end", "synced"}[random.IntN(2)])
	// Where processes open the log all the time, one of them is soon given the slot
	// of a dead one and mends what it left, so that nobody has to take its lock over.
	// Three logs in a row have had all of it, whatever the seed.
	if number%2 == 1 {
		l.roles = append(l.roles, "opener")
	}
	if kind := (number + 1) % 3; kind > 0 {
		l.least = l.options.SegmentBytes * (4 + random.Int64N(30))
		l.trims = kind == 2
		l.options.Retention = mlog.Retention{Bytes: 2 * l.least}
		l.roles = append(l.roles, "keeper", "laggard")
	}
	return l, os.Mkdir(l.reports(), 0o700)
}

func (l *life) dir() string     { return filepath.Join(l.place, "log") }
func (l *life) reports() string { return filepath.Join(l.place, "reports") }

func (l *life) String() string {
	return fmt.Sprintf("log %d (segments of %d KiB, flush %v, retention from %d KiB, trims %v), round %d",
		l.number, l.options.SegmentBytes>>10, l.options.FlushEvery, l.least>>10, l.trims, l.round)
}

// spawn starts a process of a role.
func (l *life) spawn(role string) (*process, error) {
	id := l.nextID
	l.nextID++
	return start(job{
		Role: role, ID: id, Nonce: l.nonce, Seed: l.random.Uint64(), Dir: l.dir(),
		Report:  filepath.Join(l.reports(), fmt.Sprintf("%06d", id)),
		Options: l.options, Groups: groups, Least: l.least, Trims: l.trims,
	})
}

// launch starts the whole fleet, and waits, most times, until its producers are
// in full swing; other times the first kills meet them while they open, or
// create, the log.
func (l *life) launch() error {
	l.fleet, l.past, l.bare, l.deaths = nil, nil, nil, nil
	var err error
	if l.bare, err = l.spawn(bareRole); err != nil {
		return err
	}
	for _, role := range l.roles {
		p, err := l.spawn(role)
		if err != nil {
			return err
		}
		l.fleet = append(l.fleet, p)
	}
	if l.random.IntN(4) == 0 {
		return nil
	}
	deadline := time.Now().Add(patience)
	for _, p := range l.fleet {
		for progresses[p.Role] && p.isLive() {
			if info, err := os.Stat(p.Report); err == nil && info.Size() > 0 {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s has appended nothing yet", p)
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// replace starts others in the place of those that are dead.
func (l *life) replace() error {
	for i, p := range l.fleet {
		if p.isLive() {
			continue
		}
		if err := p.complaint(); err != nil {
			return err
		}
		if p.killed.IsZero() {
			return fmt.Errorf("%s left without being told to", p)
		}
		heir, err := l.spawn(p.Role)
		if err != nil {
			return err
		}
		l.past = append(l.past, p)
		l.fleet[i] = heir
	}
	return nil
}

// kill kills some of the fleet at one time.
func (l *life) kill(victims ...*process) int {
	at := time.Now()
	for _, p := range victims {
		if p.isLive() {
			p.killed = at
			_ = p.cmd.Process.Kill()
		}
	}
	killed := 0
	for _, p := range victims {
		<-p.ended
		p.resumed(at)
		if !p.killed.IsZero() { // else it was gone before, and replace will say so
			killed++
		}
	}
	l.deaths = append(l.deaths, death{at: at})
	return killed
}

// disband tells all to leave, producers first, and waits for them.
func (l *life) disband() error {
	for _, consumers := range []bool{false, true} {
		var leaving []*process
		for _, p := range l.fleet {
			if isConsumer[p.Role] == consumers {
				p.resume()
				p.told = time.Now()
				p.in.Close()
				leaving = append(leaving, p)
			}
		}
		for _, p := range leaving {
			if err := p.leave(); err != nil {
				return fmt.Errorf("%w: %w", err, p.complaint())
			}
			if err := p.complaint(); err != nil {
				return err
			}
		}
	}
	return nil
}

var isConsumer = map[string]bool{"start": true, "laggard": true, "end": true, "synced": true, "member": true}

// dismissBare ends the bare process, after all others.
func (l *life) dismissBare() error {
	l.bare.in.Close()
	if err := l.bare.leave(); err != nil {
		return err
	}
	return l.bare.complaint()
}

// all returns every process of this round.
func (l *life) all() []*process {
	all := slices.Concat(l.past, l.fleet)
	if l.bare != nil {
		all = append(all, l.bare)
	}
	return all
}

// bury ends whatever still runs, whether it is stopped or not.
func (l *life) bury() {
	for _, p := range l.all() {
		if p.isLive() {
			p.killed = time.Now()
			_ = p.cmd.Process.Kill()
			<-p.ended
		}
		p.in.Close()
	}
}

// save brings log and reports to where the end of the test does not remove them.
func (l *life) save() string {
	l.bury()
	if *keep != "" {
		return l.place
	}
	to, err := os.MkdirTemp("", "mlog-storm-")
	if err == nil {
		err = os.Rename(l.place, filepath.Join(to, "life"))
	}
	if err != nil {
		return fmt.Sprintf("%s, until the test ends (%v)", l.place, err)
	}
	return to
}
