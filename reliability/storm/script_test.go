//go:build unix

package storm

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A script is what befalls a fleet in one round.
type script struct {
	*life
	left    int // kills to go
	killed  int
	stopped []stop
}

type stop struct {
	p   *process
	due time.Time
}

// Means of what a script draws.
const (
	meanStep = 14 * time.Millisecond
	meanStop = 25 * time.Millisecond
)

// play kills n processes, or a few more, as some steps kill several at once.
func (s *script) play() error {
	for s.killed < s.left {
		s.step()
		if err := s.replace(); err != nil {
			return err
		}
		time.Sleep(upTo(s.random, 2*meanStep))
		s.resume(time.Now())
	}
	return nil
}

func (s *script) step() {
	switch n := s.random.IntN(100); {
	case n < 40:
		s.killed += s.kill(s.any())
	case n < 70:
		p, holds := s.aim()
		s.killed += s.kill(p)
		if holds {
			// Nobody comes who would be given the dead one's slot, and its lock with
			// it: those that are there have to take it over.
			s.deaths[len(s.deaths)-1].held = !slices.Contains(s.roles, "opener")
			time.Sleep(survivorBound + 10*time.Millisecond)
		}
	case n < 82:
		p := s.any()
		p.stop()
		s.stopped = append(s.stopped, stop{p, time.Now().Add(upTo(s.random, 2*meanStop))})
	case n < 90: // one that is stopped, wherever it was just then
		p := s.any()
		p.stop()
		time.Sleep(upTo(s.random, 2*time.Millisecond))
		s.killed += s.kill(p)
	case n < 98:
		s.killed += s.kill(s.some(2 + s.random.IntN(3))...)
	default:
		s.killed += s.kill(s.fleet...)
	}
}

// aim draws a producer and returns it stopped, most times at an instruction
// between taking a lock and freeing it: it stops it here and there until the word
// in the control file stays what it is. Deaths that are drawn blindly seldom fall
// there, as locks are held for a microsecond. It reports whether that is so of the
// producers' lock, as far as one can see from outside.
func (s *script) aim() (p *process, holds bool) {
	p = s.any()
	for !progresses[p.Role] && p.Role != "durable" {
		p = s.any()
	}
	word := int64(lockWord)
	if p.Role == "durable" {
		word = syncLockWord
	}
	f, err := os.Open(filepath.Join(s.dir(), "control"))
	if err != nil {
		return p, false // the log is not made yet
	}
	defer f.Close()
	for range 40 {
		p.stop()
		time.Sleep(upTo(s.random, 400*time.Microsecond))
		before := slotAt(f, word)
		time.Sleep(300 * time.Microsecond)
		if before != 0 && slotAt(f, word) == before {
			return p, word == lockWord
		}
		p.resume()
		time.Sleep(upTo(s.random, 400*time.Microsecond))
	}
	return p, false
}

// Places of the control file, see docs/format.md.
const (
	lockWord     = 128
	syncLockWord = 256
)

// slotAt returns which slot holds a lock; 0: none.
func slotAt(control *os.File, word int64) uint16 {
	b := make([]byte, 2)
	if _, err := control.ReadAt(b, word); err != nil {
		return 0
	}
	return binary.LittleEndian.Uint16(b)
}

// any draws a process, producers more often than others.
func (s *script) any() *process {
	for {
		p := s.fleet[s.random.IntN(len(s.fleet))]
		if progresses[p.Role] || p.Role == "opener" || p.Role == "durable" || s.random.IntN(2) == 0 {
			return p
		}
	}
}

// some draws processes, each once.
func (s *script) some(n int) []*process {
	var drawn []*process
	for _, i := range s.random.Perm(len(s.fleet))[:n] {
		drawn = append(drawn, s.fleet[i])
	}
	return drawn
}

// resume lets those go on whose time has come.
func (s *script) resume(at time.Time) {
	left := s.stopped[:0]
	for _, stop := range s.stopped {
		if at.Before(stop.due) {
			left = append(left, stop)
		} else {
			stop.p.resume()
		}
	}
	s.stopped = left
}

func upTo(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(most)))
}
