package wake

import (
	"context"
	"errors"

	"github.com/seed27ccf144/mlog/internal/fault"
)

// Mirror calls event whenever there may be something new, until ctx ends. It is
// for whoever waits for a log along with other things and cannot sleep in Wait.
//
// An event comes after the flag is raised again: so what is appended after it
// leads to another one, and who reads all there is after each event misses
// nothing. Event must not block.
//
// A producer that was killed before it could wake anybody leaves the sequence as it
// was. So whenever the bound of a sleep has passed, moved is asked whether the log
// has grown since it was asked last.
func (r *Room) Mirror(ctx context.Context, moved func() bool, event func()) error {
	var seen uint32
	pending := true // what was appended before we began
	for {
		err := r.Wait(ctx, func() bool {
			if pending {
				pending = false
				event()
			}
			return r.file.sequence.Load() != seen
		})
		if err != nil {
			if errors.Is(err, ctx.Err()) {
				return nil
			}
			return err
		}
		if err := fault.Run(func() error {
			now := r.file.sequence.Load()
			pending = pending || now != seen || moved()
			seen = now
			return nil
		}); err != nil {
			r.file.Restore()
			pending = true
		}
	}
}
