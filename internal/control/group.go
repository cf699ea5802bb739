package control

import (
	"time"

	"github.com/seed27ccf144/mlog/internal/futex"
)

// Who waits for another process's sync sleeps on the low half of the durable
// offset, for a wake-up that is meant for its own record: one of 32 bits, by the
// offset. So a sync wakes those whom it covers, and of the others one, who syncs
// next. To wake them all would have them only fall asleep again, at two context
// switches for each, on cores that those who are covered need.

// AwaitSync sleeps until the record before the offset target may have become
// durable, or somebody is wanted to sync, or bound has passed, or a signal came: look
// again. seen is what Durable was when it did not cover target.
func (c *Control) AwaitSync(seen uint64, target int64, bound time.Duration) {
	futex.WaitBits(c.durableLow, uint32(seen), bound, bitOf(uint64(target-1)))
}

// WakeSynced wakes who waits for a record of offset from or later, below to, and
// one of those who wait for a later one. The sync lock is free by then.
func (c *Control) WakeSynced(from, to uint64) (woken int) {
	var bits uint32
	for at := from; at < to && at < from+32; at++ {
		bits |= bitOf(at)
	}
	woken = futex.WakeBits(c.durableLow, bits)
	futex.Wake(c.durableLow, 1)
	return woken
}

// WakeUnsynced wakes all who wait for a sync.
func (c *Control) WakeUnsynced() { futex.Wake(c.durableLow, futex.All) }

func bitOf(offset uint64) uint32 { return 1 << (offset % 32) }
