package control

import (
	"testing"

	"github.com/seed27ccf144/mlog/internal/mapping"
)

// Who has left reaches the words no more: the lock that one of his goroutines took
// before is given back, and what is taken after is not the file's. Another producer's
// lock stays that one's.
func TestLeave(t *testing.T) {
	if !mapping.CanDetach {
		t.Fatal("mappings cannot be detached")
	}
	for _, owner := range []uint32{0, 1, 2} {
		leaver, path := newControl(t)
		other := open(t, path)
		if owner != 0 && !leaver.Lock.TryFree(owner) {
			t.Fatal("the lock is not free")
		}
		if err := leaver.Leave(1); err != nil {
			t.Fatal(err)
		}
		want := owner
		if owner == 1 {
			want = 0
		}
		if got := other.Lock.Owner(); got != want {
			t.Errorf("the lock was %d's, and is %d's after 1 has left", owner, got)
		}
		if owner == 1 {
			if ok, repair := other.Lock.Try(2); !ok || !repair {
				t.Errorf("the lock that was given back for 1: got %v, to repair %v", ok, repair)
			}
			other.Lock.Release(1)
		}
		if !leaver.Lock.TryFree(1) {
			t.Error("who has left cannot take his own lock, and so would wait")
		}
		leaver.Active.Store(7)
		if got := other.Lock.Owner(); got != want || other.Active.Load() == 7 {
			t.Errorf("who has left reached the words: the lock is %d's, active is %d", got, other.Active.Load())
		}
		leaver.Lock.Release(1)
		if got := other.Lock.Owner(); got != want {
			t.Errorf("who has left gave back the lock of %d", want)
		}
	}
}
