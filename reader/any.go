package reader

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed27ccf144/mlog/internal/futex"
	"github.com/seed27ccf144/mlog/internal/wake"
)

// WaitAny returns when one of the readers, of whatever logs, may have something:
// a record, an error, or its bound. One thread sleeps for all of them.
func WaitAny(ctx context.Context, readers ...*Reader) error {
	var rooms []*wake.Room
	for _, r := range readers {
		if r.closed {
			return ErrClosed
		}
		if !slices.Contains(rooms, r.src.room) {
			rooms = append(rooms, r.src.room)
		}
	}
	if len(rooms) == 0 || len(rooms) > futex.MaxWords {
		return fmt.Errorf("cannot wait for %d logs at once: 1 to %d are possible", len(rooms), futex.MaxWords)
	}
	return wake.WaitAny(ctx, rooms, func() bool {
		return slices.ContainsFunc(readers, (*Reader).mayProceed)
	})
}

// mayProceed reports whether TryNext has more to say than that there is nothing.
func (r *Reader) mayProceed() bool {
	if r.ahead.left() > 0 || r.records.Left() > 0 || r.gap != nil || r.opts.Until != Unbounded && r.next >= r.opts.Until {
		return true
	}
	ready, err := r.ready()
	return ready || err != nil
}

// Mirror calls event whenever there may be something new in the log, until ctx
// ends.
func (s *Source) Mirror(ctx context.Context, event func()) error {
	if err := s.Hold(); err != nil {
		return err
	}
	defer s.Drop()
	seen := int64(-1)
	return s.room.Mirror(ctx, func() bool {
		end, err := s.End()
		if err == nil && end == seen {
			return false
		}
		seen = end
		return true // if the end cannot be told, who reads gets to know why
	}, event)
}
