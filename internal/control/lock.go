package control

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/futex"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// A Lock is one shared word that names its owner's slot:
//
//	 31         30       16..29   0..15
//	┌──────────┬────────┬────────┬───────────────┐
//	│contended │unclean │ 0      │ slot, 0: free │
//	└──────────┴────────┴────────┴───────────────┘
//
// Taking and giving it back without contention is one compare-and-swap and one
// swap, or a store (ReleaseSoon), no system call. A waiter spins and pauses, then sets contended and sleeps on
// the word. When its sleep times out it tries the file lock of the owner's slot: if
// it gets that, the owner is dead, and, since the kernel frees file locks only
// after it has torn down the memory map, can store nothing more. The waiter then
// swaps the word from the dead owner to itself.
//
// Unclean on a free lock says that its last holder could not finish (it met a
// memory fault): whoever takes it repairs, as after a death.
type Lock struct {
	word  *atomic.Uint32
	pause atomic.Uint32 // paused on, and never changed: on the other word a wake-up that is meant for a sleeper could end a pause
}

const (
	slotMask  = 1<<16 - 1
	unclean   = 1 << 30
	contended = 1 << 31
)

// spins is how often a waiter looks at the word before it pauses or sleeps: about
// as long as a few appends take.
const spins = 200

// The pauses of a waiter double from the first to the longest.
const (
	firstPause = 50 * time.Microsecond
	longPause  = 200 * time.Microsecond
)

// A Judge tries the file lock of a slot. It returns the lock, which proves that
// the slot's owner is dead for as long as it is held, or nil if the owner lives.
type Judge func(slot uint32) (*filelock.Lock, error)

// TryFree takes the lock for slot if it is free and was given back clean.
func (l *Lock) TryFree(slot uint32) bool { return l.word.CompareAndSwap(0, slot) }

// Try takes the lock for slot if it is free. repair asks the new holder to
// repair first.
func (l *Lock) Try(slot uint32) (ok, repair bool) {
	if l.word.CompareAndSwap(0, slot) {
		return true, false
	}
	// Whatever else stands in the word of a lock that names no slot, it is free.
	if word := l.word.Load(); word&slotMask == 0 && l.word.CompareAndSwap(word, slot) {
		return true, word&unclean != 0
	}
	return false, false
}

// Owner returns the slot that holds the lock, 0 if nobody.
func (l *Lock) Owner() uint32 { return l.word.Load() & slotMask }

// Release gives the lock back and wakes up to wake sleepers.
func (l *Lock) Release(wake int) {
	if l.word.Swap(0)&contended != 0 {
		futex.Wake(l.word, wake)
	}
}

// ReleaseSoon is Release for slot, the owner, without waiting until others see what he has
// stored before. They see that, and that the lock is free, in this order, but maybe only after what he
// loads next: who has something to look at after a release must come back to it.
//
// Somebody who marks the lock as contended just then may lose the mark. He is woken by his
// bound, should he come to sleep at all: the word that he expects is not there any more.
func (l *Lock) ReleaseSoon(slot uint32, wake int) {
	if l.word.Load() != slot {
		l.Release(wake)
		return
	}
	mapping.ReleaseUint32(l.word, 0)
}

func (l *Lock) wake(n int) { futex.Wake(l.word, n) }

// ReleaseUnclean gives it back and has the next holder repair.
func (l *Lock) ReleaseUnclean(wake int) {
	if l.word.Swap(unclean)&contended != 0 {
		futex.Wake(l.word, wake)
	}
}

// Acquire takes the lock for slot, waiting until giveUp, which is called every few
// milliseconds, returns an error. repair is true when it was taken from a dead
// owner, or given back unclean.
//
// Who finds it taken first looks again for about as long as an append takes. If
// that is not enough, there is either an owner that lost its core, or more
// appends than one core can do: then it pauses, which leaves lock and core to
// the others, and looks again, a few times, before it sleeps on the word. A
// pause asks for no wake-up, which would cost the owner a system call and both the
// cache lines of all that the lock guards, for each append or two.
func (l *Lock) Acquire(slot uint32, judge Judge, giveUp func() error) (repair bool, err error) {
	for pause := firstPause; ; pause *= 2 {
		if ok, repair := l.spin(slot); ok {
			return repair, nil
		}
		if pause > longPause {
			return l.queue(slot, judge, giveUp)
		}
		if err := giveUp(); err != nil {
			return false, l.heldBy(err)
		}
		futex.Wait(&l.pause, 0, pause)
	}
}

func (l *Lock) spin(slot uint32) (ok, repair bool) {
	for range spins {
		if l.Owner() == 0 { // look before the swap, which would take the cache line
			if ok, repair := l.Try(slot); ok {
				return true, repair
			}
		}
	}
	return false, false
}

func (l *Lock) heldBy(err error) error {
	return fmt.Errorf("wait for the log's lock, held by producer %d: %w", l.Owner(), err)
}

// queue sleeps on the word until the lock is had.
//
// Having slept, we cannot know whether others still do, so we take the lock as
// contended and the release will wake one of them.
func (l *Lock) queue(slot uint32, judge Judge, giveUp func() error) (repair bool, err error) {
	bound := firstBound
	for began := time.Now(); ; {
		for range spins {
			word := l.word.Load()
			if word&slotMask == 0 && l.word.CompareAndSwap(word, slot|contended) {
				return word&unclean != 0, nil
			}
		}
		word := l.word.Load()
		if word&slotMask == 0 {
			continue
		}
		if err := giveUp(); err != nil {
			return false, l.heldBy(err)
		}
		l.sleep(word, bound)
		if time.Since(began) < bound { // not by the result of sleep: signals may end every single one
			continue
		}
		if taken, err := l.takeOver(slot, judge); taken || err != nil {
			return taken, err
		}
		began, bound = time.Now(), min(2*bound, longBound)
	}
}

// Sleep waits until the lock may have changed hands or bound has passed, and
// reports whether it was the bound. On a free lock it returns at once.
func (l *Lock) Sleep(bound time.Duration) (timedOut bool) {
	word := l.word.Load()
	if word&slotMask == 0 {
		return false
	}
	return l.sleep(word, bound) == futex.TimedOut
}

func (l *Lock) sleep(word uint32, bound time.Duration) futex.Result {
	if word&contended == 0 && !l.word.CompareAndSwap(word, word|contended) {
		return futex.Changed
	}
	return futex.Wait(l.word, word|contended, bound)
}

// TakeOver takes the lock from an owner that is dead.
func (l *Lock) TakeOver(slot uint32, judge Judge) (taken bool, err error) {
	return l.takeOver(slot, judge)
}

func (l *Lock) takeOver(slot uint32, judge Judge) (bool, error) {
	word := l.word.Load()
	owner := word & slotMask
	if owner == 0 {
		return false, nil
	}
	if owner > MaxSlots { // no producer ever was that one: the word is damaged
		return l.word.CompareAndSwap(word, slot|contended), nil
	}
	proof, err := judge(owner)
	if proof == nil || err != nil {
		return false, err
	}
	// The proof is held across the swap: until then nobody can become the new
	// owner of that slot, so the word names the dead one and nobody else.
	defer proof.Release()
	return l.word.CompareAndSwap(word, slot|contended), nil
}
