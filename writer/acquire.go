package writer

import (
	"context"
	"runtime"

	"github.com/seed27ccf144/mlog/internal/futex"
)

// yields is how often a producer that shares its syncs with others leaves its core to
// them before it pauses for the lock. They come all at once, and a pause is as long as
// a sync.
const yields = 30

// acquire takes the log's lock, which was not free just now.
func (w *Writer) acquire(ctx context.Context) (repair bool, err error) {
	// A goroutine of this process, which appends without the lead, needs a processor to go
	// on, maybe this one.
	for n := 0; n < yields && w.ctl.Lock.Owner() == w.slot.Number; n++ {
		runtime.Gosched()
	}
	if w.ctl.Lock.TryFree(w.slot.Number) {
		return false, nil
	}
	if w.syncer.inStep.Load() {
		for range yields {
			if w.ctl.Lock.Owner() == 0 {
				if ok, repair := w.ctl.Lock.Try(w.slot.Number); ok {
					return repair, nil
				}
			}
			futex.Yield()
		}
	}
	return w.ctl.Lock.Acquire(w.slot.Number, w.judge, func() error {
		if w.closed.Load() {
			return ErrClosed
		}
		return ctx.Err()
	})
}
