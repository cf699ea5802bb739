package writer

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/segment"
)

// retain removes the oldest segments that the log's settings no longer keep. The
// settings are read anew each time, since they may change while the log runs.
//
// Several processes may do this at once: they remove the same files in the same
// order, and to find one gone is no error.
func (k *keeper) retain() error {
	settings, err := k.w.dir.ReadRetention(k.w.meta.LogID)
	if err != nil || settings == (layout.Retention{}) {
		return err
	}
	bases, err := k.w.dir.Segments()
	if err != nil {
		return err
	}
	active, err := k.w.ctl.ActiveBase()
	if err != nil {
		return err
	}
	defer k.dropOrphans()
	total := int64(len(bases)) * k.w.meta.SegmentBytes
	for i, base := range bases {
		if base >= active || i+1 == len(bases) {
			return nil
		}
		drop := settings.Bytes > 0 && total > settings.Bytes
		if !drop && settings.Age > 0 {
			newest, err := segmentFloor(k.w.dir.Segment(bases[i+1]))
			if err != nil {
				return err
			}
			drop = time.Since(newest) > settings.Age
		}
		if !drop {
			return nil
		}
		if err := k.syncFirst(bases[i+1]); err != nil {
			return err
		}
		if err := k.drop(base); err != nil {
			return err
		}
		total -= k.w.meta.SegmentBytes
	}
	return nil
}

// syncFirst makes sure that the segment that is to become the log's first is on
// disk. Else a power loss could leave a log of which only a name is there.
func (k *keeper) syncFirst(base int64) error {
	synced := false
	if err := fault.Run(func() error {
		synced = k.w.ctl.Named.Load() > uint64(base)
		return nil
	}); synced || err != nil {
		return err
	}
	return k.w.syncer.all(context.Background())
}

// dropOrphans removes indexes of segments that are gone: an index may be made just
// when its segment is dropped.
func (k *keeper) dropOrphans() {
	for _, path := range k.w.dir.OrphanIndexes() {
		_ = files.Remove(path)
	}
}

// drop removes one segment. The directory is synced before the next one goes: a
// power loss must not leave a hole in the row, which would look like damage.
func (k *keeper) drop(base int64) error {
	for _, path := range []string{k.w.dir.Index(base), k.w.dir.Segment(base)} {
		if err := files.Remove(path); err != nil && !missing(err) {
			return err
		}
	}
	k.w.opts.Logger.Debug("segment dropped by retention", "log", string(k.w.dir), "base", base)
	return files.SyncDir(string(k.w.dir))
}

// segmentFloor returns the time before which no record of a segment was
// appended: that of the newest record in the segment before it.
func segmentFloor(path string) (time.Time, error) {
	f, err := files.Open(path, false)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.NewSectionReader(f, 0, segment.HeaderBytes))
	if err != nil {
		return time.Time{}, err
	}
	h, err := segment.DecodeHeader(head)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", path, err)
	}
	return time.Unix(0, h.Floor), nil
}
