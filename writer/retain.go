package writer

import (
	"context"

	"github.com/seed27ccf144/mlog/internal/layout"
)

// retain drops the oldest segments that the log's settings no longer keep. The
// settings are read anew each time, since they may change while the log runs.
func (k *keeper) retain() error {
	settings, err := k.w.dir.ReadRetention(k.w.meta.LogID)
	if err != nil || settings == (layout.Retention{}) {
		return err
	}
	_, err = k.w.dropOldest(context.Background(), Limits{Retention: settings}, func() error { return nil })
	return err
}
