package control

import (
	"testing"
)

// Whatever stands in a lock's word: one that names no slot is free, and one that
// names a slot which no log has is nobody's.
func TestDamagedLockWord(t *testing.T) {
	d, c := newDir(t)
	slot := takeSlot(t, d).Number
	for _, word := range []uint32{1 << 16, 1 << 29, contended, unclean | 1<<20} {
		c.Lock.word.Store(word)
		if ok, repair := c.Lock.Try(slot); !ok || repair != (word&unclean != 0) {
			t.Errorf("word %#x: taken: %v, repair: %v", word, ok, repair)
		}
		c.Lock.Release(wakeNobody)
	}
	c.Lock.word.Store(1 << 15)
	if repair, err := c.Lock.Acquire(slot, JudgeIn(d), patient); !repair || err != nil {
		t.Errorf("a lock of slot %d: repair: %v, %v", 1<<15, repair, err)
	}
}

const wakeNobody = 0
