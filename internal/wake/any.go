package wake

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/futex"
)

// WaitAny is Room.Wait for several logs at once, by one thread: it returns when
// there may be something new in one of them. Ready must look at all of them.
//
// The rooms must be different ones, and no more than futex.MaxWords. Without
// futex_waitv(2) it sleeps on the first and looks at the others every 10 ms.
func WaitAny(ctx context.Context, rooms []*Room, ready func() bool) error {
	err := fault.Run(func() error { return waitAny(ctx, rooms, ready) })
	if isCut(err) {
		for _, r := range rooms {
			r.file.Restore()
		}
		time.Sleep(time.Millisecond)
		return nil
	}
	return err
}

func waitAny(ctx context.Context, rooms []*Room, ready func() bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	words := make([]*atomic.Uint32, len(rooms))
	seen := make([]uint32, len(rooms))
	for i, r := range rooms {
		r.asleep.Add(1)
		defer r.asleep.Add(-1)
		words[i] = r.file.sequence
		seen[i] = words[i].Load()
		r.file.raise()
	}
	if ready() {
		return nil
	}
	bound := Backstop
	if slices.ContainsFunc(rooms, func(r *Room) bool { return !r.file.writable }) {
		bound = pollPause
	}
	if deadline, ok := ctx.Deadline(); ok {
		bound = min(bound, time.Until(deadline))
	}
	defer rooms[0].interruptAtEndOf(ctx)()
	if _, ok := futex.WaitAny(words, seen, bound); !ok {
		futex.Wait(words[0], seen[0], min(bound, pollPause))
	}
	return ctx.Err()
}
