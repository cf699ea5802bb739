package writer

import "context"

// Syncs of full segments, beside the keeper's work and before they have to be.

// flushFull begins to flush the segments before an offset, instead of waiting for the
// bound: nothing changes in them any more, and when all is to be durable the disk has
// done most of it. In a log that drops segments some may never have to be written;
// whether this is one is known from the first roll on. One at a time; a disk that is
// behind has enough to do.
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
