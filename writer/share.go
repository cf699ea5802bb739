package writer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/futex"
)

// How long a waiter sleeps between looks at the syncing process, and after how
// long it no longer waits for one that lives but does not come to an end.
const (
	syncLook     = 10 * time.Millisecond
	syncPatience = 200 * time.Millisecond
)

// share waits for another process's sync that covers target, or syncs for all, as
// far as bound.
func (s *syncer) share(ctx context.Context, target, bound int64) error {
	lock, slot := &s.w.ctl.SyncLock, s.w.slot.Number
	looked := time.Now()
	giveUp := looked.Add(syncPatience)
	for {
		seen := s.w.ctl.Durable.Load()
		if covered, err := s.covered(target); covered || err != nil {
			return err
		}
		owned, _ := lock.Try(slot)
		if !owned {
			s.w.ctl.AwaitSync(seen, target, syncLook)
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("wait for a sync: %w", err)
			}
			if group := int64(s.w.ctl.Durable.Load() - seen); group > 0 {
				s.shared(group)
			}
			now := time.Now()
			if now.Sub(looked) < syncLook { // not by how the sleep ended: signals may end every single one
				continue
			}
			looked = now
			var err error
			if owned, err = lock.TakeOver(slot, s.w.judge); err != nil {
				return err
			}
			if !owned && now.Before(giveUp) {
				continue
			}
		}
		release := func() {
			if owned {
				owned = false
				lock.Release(wakeAll)
			}
		}
		err := fault.Run(func() error {
			if owned {
				s.gather()
				if covered, err := s.covered(target); covered || err != nil {
					return err // by a sync that was about to end when the lock was had
				}
			}
			return s.once(bound, release)
		})
		release()
		if err != nil {
			s.w.ctl.WakeUnsynced()
			return err
		}
		s.shared(int64(s.w.ctl.WakeSynced(seen, s.w.ctl.Durable.Load())) + 1)
		if covered, err := s.covered(target); !covered || err != nil {
			return errors.Join(err, fmt.Errorf("offset %d cannot be synced: the log ends before it", target))
		}
		return nil
	}
}

// shared notes how many shared a sync.
func (s *syncer) shared(group int64) {
	s.group = group
	if s.inStep.Load() != (group > 1) {
		s.inStep.Store(group > 1)
	}
}

// The wait for others ends when no record has come for gatherQuiet. That is enough
// for a process that was woken to get a core and to append.
const (
	gatherQuiet  = 40 * time.Microsecond
	gatherAtMost = 150 * time.Microsecond
	gatherLooks  = 4096 // some milliseconds: enough for the time to be up, if it passes at all
)

// gather waits a moment for the other producers of the last sync, who are about
// to append again: else one of them alone has a sync, and all others wait for two.
// Who shared no sync waits for nobody. The caller holds the sync lock.
func (s *syncer) gather() {
	if s.group <= 1 || s.cur == nil {
		return
	}
	wanted := int64(s.w.ctl.Durable.Load()) + s.group
	began := time.Now()
	quiet := began
	end := int64(0)
	for range gatherLooks {
		now, last := time.Now(), end
		if end = s.cur.end(s.cur.Tail()); end >= wanted {
			return
		}
		if end != last {
			quiet = now
		}
		if now.Sub(quiet) > gatherQuiet || now.Sub(began) > gatherAtMost {
			return
		}
		futex.Yield()
	}
}
