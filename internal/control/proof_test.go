package control

import (
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
)

// dead makes a lock whose owner died with it, and returns that owner's slot and
// one that lives.
func dead(t *testing.T, d layout.Dir, c *Control) (owner, waiter uint32) {
	t.Helper()
	gone, alive := takeSlot(t, d), takeSlot(t, d)
	c.Lock.word.Store(gone.Number)
	gone.Release()
	return gone.Number, alive.Number
}

// TestTakenLockIsContended: others may sleep on the word since before the owner
// died. Whoever takes the lock over cannot know, so his release has to wake one.
func TestTakenLockIsContended(t *testing.T) {
	for name, take := range map[string]func(c *Control, slot uint32, judge Judge) (bool, error){
		"TakeOver": func(c *Control, slot uint32, judge Judge) (bool, error) { return c.Lock.TakeOver(slot, judge) },
		"Acquire":  func(c *Control, slot uint32, judge Judge) (bool, error) { return c.Lock.Acquire(slot, judge, patient) },
	} {
		d, c := newDir(t)
		_, waiter := dead(t, d, c)
		if taken, err := take(c, waiter, JudgeIn(d)); !taken || err != nil {
			t.Fatalf("%s: %v, %v", name, taken, err)
		}
		if got := c.Lock.word.Load(); got != waiter|contended {
			t.Errorf("%s: the word is %#x, want slot %d and the contended bit", name, got, waiter)
		}
	}
}

// TestSleeperGetsAReleasedLockAsContended: of several sleepers a release wakes
// one. The others must be woken by the release of that one.
func TestSleeperGetsAReleasedLockAsContended(t *testing.T) {
	c, _ := newControl(t)
	c.Lock.Try(1)
	acquired := make(chan error)
	go func() {
		_, err := c.Lock.Acquire(2, alive, patient)
		acquired <- err
	}()
	for c.Lock.word.Load()&contended == 0 { // until it is about to sleep
		time.Sleep(time.Millisecond)
	}
	c.Lock.Release(1)
	if err := <-acquired; err != nil {
		t.Fatal(err)
	}
	if got := c.Lock.word.Load(); got != 2|contended {
		t.Errorf("the word is %#x, want slot 2 and the contended bit", got)
	}
}

// TestProofIsHeldAcrossTheSwap: as soon as the file lock that proves the death is
// free, the dead one's slot may have a new owner, who may take the log's lock. So
// by then the word must not name that slot any more.
//
// Somebody wants the file lock from the moment of the proof on, as hard as he can,
// and looks at the word when he gets it. What he finds there is right each time;
// to be there in the few instants when it might be wrong takes some rounds.
func TestProofIsHeldAcrossTheSwap(t *testing.T) {
	d, c := newDir(t)
	owner, waiter := dead(t, d, c)
	judge := JudgeIn(d)
	const rounds, longest = 500, 300 * time.Millisecond
	for began, round := time.Now(), 0; round < rounds && time.Since(began) < longest; round++ {
		c.Lock.word.Store(owner)
		found := make(chan uint32, 1)
		begun := make(chan struct{})
		taken, err := c.Lock.TakeOver(waiter, func(slot uint32) (*filelock.Lock, error) {
			proof, err := judge(slot)
			if proof == nil || err != nil {
				t.Errorf("the dead one was not judged dead: %v", err)
				return nil, err
			}
			go func() {
				close(begun)
				for {
					lock, err := filelock.ProbeExclusive(d.Slot(int(slot)))
					word := c.Lock.Owner()
					if lock != nil || err != nil {
						lock.Release()
						found <- word
						return
					}
				}
			}()
			<-begun
			return proof, nil
		})
		if !taken || err != nil {
			t.Fatal(taken, err)
		}
		if got := <-found; got == owner {
			t.Fatal("the proof of death was given back while the word still named the dead one")
		}
	}
}
