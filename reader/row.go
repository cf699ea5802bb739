package reader

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/segment"
)

// row lists the base offsets of the log's segments, in order.
//
// After a reboot, before anybody has recovered the log, it ends before a file
// that was never synced and behind which nothing is known to be on disk: a power
// loss took what was in it, and recovery will take it away, or make it anew.
func (s *Source) row() ([]int64, error) {
	bases, err := s.dir.Segments()
	if err != nil || len(bases) == 0 {
		return bases, err
	}
	if ctl, err := s.control(); ctl != nil || err != nil {
		return bases, err
	}
	row := bases
	for i, base := range slices.Backward(bases) {
		marked, unsynced, err := s.promised(base)
		if err != nil || marked {
			return row, err
		}
		if unsynced {
			row = bases[:i]
		}
	}
	return row, nil
}

// emptyAt returns the offset at which a log begins whose row is empty: 0, if nobody
// has appended yet, or that of a segment whose file proves that it was never synced,
// though it had become the first. Recovery makes that one anew.
func (s *Source) emptyAt() (int64, error) {
	bases, err := s.dir.Segments()
	if err != nil || len(bases) == 0 {
		return 0, err
	}
	f, err := files.Open(s.dir.Segment(bases[0]), false)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	proof, err := segment.NeverSynced(f, s.meta.LogID, bases[0])
	if err != nil || proof != segment.Earlier {
		return 0, err
	}
	return bases[0], nil
}

// promised reports whether anything in a segment is known to be on disk, or
// whether its file was never synced and is not usable. A file that is damaged
// counts as neither.
func (s *Source) promised(base int64) (marked, unsynced bool, err error) {
	v, err := s.view(base)
	if err == nil {
		defer s.release(v)
		err = fault.Run(func() error {
			marked = v.Durable().Count > 0
			return nil
		})
		return marked, false, err
	}
	if ofSystem(err) {
		return false, false, err
	}
	f, err := files.Open(s.dir.Segment(base), false)
	if err != nil {
		if ofSystem(err) {
			return false, false, err
		}
		return false, false, nil // gone meanwhile
	}
	defer f.Close()
	proof, err := segment.NeverSynced(f, s.meta.LogID, base)
	return false, proof != segment.NoProof, err
}

// isLost reports whether err, of a segment that cannot be had, means that there is
// no such segment: none of that name, or none in the row.
func (s *Source) isLost(base int64, err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	row, rerr := s.row()
	return rerr == nil && !slices.Contains(row, base)
}
