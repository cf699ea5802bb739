package wake

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed27ccf144/mlog/internal/futex"
)

// TestSleeperLoadsTheSequenceBeforeItIsSeen: a goroutine that finds a sleeper
// relies on it to wake at whatever is committed from then on. So the sleeper must
// have loaded the sequence before; what it takes for seen later, the follower may
// still wait for.
//
// The room's mutex keeps the sleeper from being seen, and with it held a producer
// wakes: the sleep must end at once.
func TestSleeperLoadsTheSequenceBeforeItIsSeen(t *testing.T) {
	if !futex.Native {
		t.Skip("waits are polls here")
	}
	f := open(t, newDir(t))
	room := NewRoom(f)
	const attempts = 4 // a machine with other work may keep us waiting, but not each time
	for range attempts {
		room.mu.Lock()
		woken := make(chan error)
		go func() { woken <- room.Wait(context.Background(), never) }()
		for !blockedIn("(*Room).wait", "sync.(*Mutex).Lock") {
			time.Sleep(time.Millisecond)
		}
		f.SignalAlways()
		began := time.Now()
		room.mu.Unlock()
		if err := <-woken; err != nil {
			t.Fatal(err)
		}
		if time.Since(began) < Backstop/2 {
			return
		}
	}
	t.Errorf("%d times the sleeper slept on though the sequence was counted up before anybody could see it", attempts)
}

// blockedIn reports whether some goroutine is in all of these functions.
func blockedIn(functions ...string) bool {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		in := 0
		for _, f := range functions {
			if strings.Contains(stack, f+"(") {
				in++
			}
		}
		if in == len(functions) {
			return true
		}
	}
	return false
}
