package control

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// newDir is a log's directory with a control file and no producers.
func newDir(t *testing.T) (layout.Dir, *Control) {
	t.Helper()
	d := layout.Dir(t.TempDir())
	if _, err := d.Create(context.Background(), layout.Settings{SegmentBytes: 1 << 16, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if err := Create(d.Control(), testID, 0o600, State{}); err != nil {
		t.Fatal(err)
	}
	return d, open(t, d.Control())
}

func takeSlot(t *testing.T, d layout.Dir) *Slot {
	t.Helper()
	s, err := TakeSlot(d, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Release)
	return s
}

// patient never gives a wait up.
func patient() error { return nil }

// alive is the judge of locks whose owners are known to live.
func alive(uint32) (*filelock.Lock, error) { return nil, nil }

// TestMutualExclusion counts up a plain word under the lock, from many
// goroutines with a mapping and a slot each, as processes have them. The word is
// in the mapped file too, where the race detector sees nothing: the count tells.
func TestMutualExclusion(t *testing.T) {
	_, path := newControl(t)
	const producers, rounds, spare = 8, 2000, 2048
	var wg sync.WaitGroup
	for slot := uint32(1); slot <= producers; slot++ {
		c := open(t, path)
		wg.Go(func() {
			counter := mapping.Uint64(c.m.Bytes(), spare)
			for range rounds {
				if repair, err := c.Lock.Acquire(slot, alive, patient); repair || err != nil {
					t.Error(repair, err)
					return
				}
				n := counter.Load()
				if c.Lock.Owner() != slot {
					t.Errorf("slot %d holds the lock, the word names %d", slot, c.Lock.Owner())
				}
				counter.Store(n + 1)
				if n%3 == 0 {
					c.Lock.ReleaseSoon(slot, 1)
				} else {
					c.Lock.Release(1)
				}
			}
		})
	}
	wg.Wait()
	c := open(t, path)
	if got := mapping.Uint64(c.m.Bytes(), spare).Load(); got != producers*rounds {
		t.Errorf("counted %d of %d: two held the lock at once", got, producers*rounds)
	}
	if c.Lock.Owner() != 0 {
		t.Errorf("slot %d still holds the lock", c.Lock.Owner())
	}
}

// TestReleaseSoonWakes: who had marked the lock by then is woken, as by Release.
func TestReleaseSoonWakes(t *testing.T) {
	c, _ := newControl(t)
	c.Lock.TryFree(1)
	c.Lock.ReleaseSoon(1, 1)
	if c.Lock.Owner() != 0 {
		t.Fatal("the lock was not given back")
	}
	c.Lock.TryFree(1)
	woken := make(chan bool)
	go func() { woken <- !c.Lock.Sleep(time.Hour) }()
	for c.Lock.word.Load()&contended == 0 { // the test's own time-out is the bound
		time.Sleep(100 * time.Microsecond)
	}
	time.Sleep(time.Millisecond) // until it sleeps; else it finds the word changed, which is as good
	c.Lock.ReleaseSoon(1, 1)
	if !<-woken {
		t.Error("the sleeper was not woken")
	}
}

func TestTry(t *testing.T) {
	c, _ := newControl(t)
	if ok, repair := c.Lock.Try(1); !ok || repair {
		t.Fatal(ok, repair)
	}
	if ok, _ := c.Lock.Try(2); ok {
		t.Error("taken twice")
	}
	c.Lock.ReleaseUnclean(1)
	if ok, repair := c.Lock.Try(2); !ok || !repair {
		t.Errorf("after an unclean release: %v, repair %v", ok, repair)
	}
	c.Lock.Release(1)
	if ok, repair := c.Lock.Try(1); !ok || repair {
		t.Errorf("after a clean one: %v, repair %v", ok, repair)
	}
}

// TestUncleanReachesTheSleeper: who slept for the lock is told to repair as well.
func TestUncleanReachesTheSleeper(t *testing.T) {
	c, _ := newControl(t)
	c.Lock.Try(1)
	repaired := make(chan bool)
	go func() {
		repair, err := c.Lock.Acquire(2, alive, patient)
		repaired <- repair && err == nil
	}()
	for c.Lock.word.Load()&contended == 0 { // until it sleeps
		time.Sleep(time.Millisecond)
	}
	c.Lock.ReleaseUnclean(1)
	if !<-repaired {
		t.Error("the next holder was not asked to repair")
	}
}

// TestOwnerThatLivesKeepsTheLock: waiting ends with the context, not with the
// lock.
func TestOwnerThatLivesKeepsTheLock(t *testing.T) {
	d, c := newDir(t)
	owner, waiter := takeSlot(t, d), takeSlot(t, d)
	c.Lock.Try(owner.Number)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Lock.Acquire(waiter.Number, JudgeIn(d), ctx.Err); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's error", err)
	}
	if c.Lock.Owner() != owner.Number {
		t.Errorf("slot %d holds the lock, want %d", c.Lock.Owner(), owner.Number)
	}
}

// TestTakeoverFromTheDead: what frees the slot's file lock makes the lock free,
// too, and soon.
func TestTakeoverFromTheDead(t *testing.T) {
	d, c := newDir(t)
	owner, waiter := takeSlot(t, d), takeSlot(t, d)
	c.Lock.Try(owner.Number)
	died := make(chan time.Time, 1)
	time.AfterFunc(20*time.Millisecond, func() {
		died <- time.Now()
		owner.Release()
	})
	repair, err := c.Lock.Acquire(waiter.Number, JudgeIn(d), patient)
	if !repair || err != nil {
		t.Fatalf("repair %v, %v", repair, err)
	}
	if c.Lock.Owner() != waiter.Number {
		t.Errorf("slot %d holds the lock, want %d", c.Lock.Owner(), waiter.Number)
	}
	t.Logf("taken over after %v", time.Since(<-died))
	// The proof of death was given back: the slot can be taken again.
	if again := takeSlot(t, d); again.Number != owner.Number {
		t.Errorf("got slot %d, want that of the dead, %d", again.Number, owner.Number)
	}
}

// TestTakeoverComesTooLate: by the time that the owner is proved dead, another
// one has repaired and a third one holds the lock.
func TestTakeoverComesTooLate(t *testing.T) {
	d, c := newDir(t)
	owner := takeSlot(t, d)
	c.Lock.Try(owner.Number)
	owner.Release()
	const third, late = 30, 31
	taken, err := c.Lock.TakeOver(late, func(slot uint32) (*filelock.Lock, error) {
		c.Lock.word.Store(third)
		return JudgeIn(d)(slot)
	})
	if taken || err != nil || c.Lock.Owner() != third {
		t.Errorf("taken %v, %v; slot %d holds the lock, want %d", taken, err, c.Lock.Owner(), third)
	}
}

// TestOneTakesOver: of many who find the owner dead, one gets the lock at a time.
func TestOneTakesOver(t *testing.T) {
	d, c := newDir(t)
	owner := takeSlot(t, d)
	c.Lock.Try(owner.Number)
	var slots []*Slot
	for range 8 {
		slots = append(slots, takeSlot(t, d))
	}
	owner.Release()
	var wg sync.WaitGroup
	var mu sync.Mutex
	repairs, inside := 0, 0
	for _, slot := range slots {
		wg.Go(func() {
			repair, err := c.Lock.Acquire(slot.Number, JudgeIn(d), patient)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			if inside++; inside != 1 {
				t.Errorf("%d hold the lock", inside)
			}
			if repair {
				repairs++
			}
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			inside--
			mu.Unlock()
			c.Lock.Release(1)
		})
	}
	wg.Wait()
	if repairs != 1 {
		t.Errorf("%d were asked to repair, want 1", repairs)
	}
}

func TestSleepOnAFreeLock(t *testing.T) {
	c, _ := newControl(t)
	if c.Lock.Sleep(time.Minute) {
		t.Error("slept on a free lock")
	}
	c.Lock.Try(1)
	if !c.Lock.Sleep(time.Millisecond) {
		t.Error("a lock that nobody gave back woke a sleeper")
	}
}

func TestSlots(t *testing.T) {
	d, _ := newDir(t)
	live := func(want int) {
		t.Helper()
		if got, err := LiveSlots(d); got != want || err != nil {
			t.Errorf("%d live, %v; want %d", got, err, want)
		}
	}
	live(0)
	one, two, three := takeSlot(t, d), takeSlot(t, d), takeSlot(t, d)
	if one.Number != 1 || two.Number != 2 || three.Number != 3 {
		t.Errorf("slots %d, %d, %d", one.Number, two.Number, three.Number)
	}
	live(3)
	two.Release()
	live(2)
	if again := takeSlot(t, d); again.Number != 2 {
		t.Errorf("got slot %d, want the free one, 2", again.Number)
	}
	live(3)
}

func TestJudgeWithoutLockFile(t *testing.T) {
	d, _ := newDir(t)
	if proof, err := JudgeIn(d)(77); proof != nil || err == nil {
		t.Errorf("a slot without a file was judged: %v, %v", proof, err)
	}
}
