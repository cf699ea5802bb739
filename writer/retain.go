package writer

import (
	"context"
	"errors"

	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/mapping"
)

// dropsAtOnce bounds how long the keeper's other work has to wait for retention:
// each segment that is dropped costs some syncs, and what waits meanwhile keeps
// files open. A keeper that is far behind takes twice as many each time: it looks through
// the directory for each go, and that holds all that it has not dropped.
const (
	dropsAtOnce = 8
	mostAtOnce  = 1024
)

var errMoreToDrop = errors.New("there is more to drop")

// retain drops the oldest segments that the log's settings no longer keep, some at
// a time. The settings are read anew each time, since they may change while the log
// runs.
func (k *keeper) retain() error {
	settings, err := k.w.dir.ReadRetention(k.w.meta.LogID)
	if err != nil {
		return err
	}
	// Where segments are flushed, their pages have to be faulted in again anyway, and
	// to sync what is still mapped costs an interrupt of the appender for each page.
	size := k.w.meta.SegmentBytes
	k.w.maps.wanted.Store(k.w.recycles() && k.w.opts.FlushEvery <= 0 && settings.Bytes > 0 && mapping.FitsIdle(settings.Bytes/size+layout.MostSpares, size))
	k.w.capped.Store(settings != (layout.Retention{}) && k.w.meta.HasOrigins())
	if settings == (layout.Retention{}) {
		return k.w.dropForgotten()
	}
	looks, atOnce := 0, max(dropsAtOnce, k.atOnce)
	_, _, err = k.w.dropOldest(context.Background(), Limits{Retention: settings}, func() error {
		if looks++; looks > atOnce+1 { // the first look is before the first segment
			return errMoreToDrop
		}
		return nil
	})
	if errors.Is(err, errMoreToDrop) {
		k.atOnce = min(2*atOnce, mostAtOnce)
		k.rolled()
		return nil
	}
	k.atOnce = 0
	return err
}

// dropForgotten removes the spares that a log without retention has too many of,
// after a trim that could not, or that an earlier build left. The others go with the
// next rolls.
func (w *Writer) dropForgotten() error {
	if len(w.spares()) <= w.sparesFor(0) {
		return nil
	}
	bases, err := w.dir.Segments()
	if err == nil {
		w.dropSurplus(len(bases))
	}
	return err
}
