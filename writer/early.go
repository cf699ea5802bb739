package writer

import (
	"context"

	"github.com/seed27ccf144/mlog/internal/layout"
)

// Syncs of full segments, beside the keeper's work and before they have to be.

// keepsAll reports whether the log drops no segments.
func (k *keeper) keepsAll() bool {
	settings, err := k.w.dir.ReadRetention(k.w.meta.LogID)
	if err != nil {
		k.warn("look at what the log keeps", err)
	}
	return err == nil && settings == (layout.Retention{})
}

// flushFull begins to flush the segments before an offset, instead of waiting for the
// bound: nothing changes in them any more, and when all is to be durable the disk has
// done most of it. It is for logs that keep all: in others some may never have to be
// written. One at a time; a disk that is behind has enough to do.
func (k *keeper) flushFull(end int64) {
	if k.flushing.Swap(true) {
		return
	}
	k.early.Go(func() {
		defer k.flushing.Store(false)
		if err := k.w.syncer.through(context.Background(), end); err != nil {
			k.warn("flush", err)
		}
	})
}

// syncEarly syncs a segment beside the keeper's work, so that retention need not do
// it when the segment is to become the first. It can take longer than the rolls
// meanwhile, and these would find no spare, and make files here and now that have to
// be synced in their turn, and so on.
func (k *keeper) syncEarly(h *handle) {
	h.retain()
	k.early.Go(func() {
		defer h.release()
		if err := k.w.syncer.early(h); err != nil {
			k.warn("sync of a segment that will be dropped", err)
		}
	})
}
