package reader

import (
	"github.com/seed27ccf144/mlog/internal/fault"
	"github.com/seed27ccf144/mlog/segment"
)

// Where a log ends that no producer has opened in this boot.

// unrecoveredTail is tail without the producers' words.
func (s *Source) unrecoveredTail() (*view, segment.Cursor, error) {
	v, err := s.lastMarked()
	if v == nil && err == nil {
		err = s.neverWritten()
	}
	if v == nil || err != nil {
		return nil, segment.Cursor{}, err
	}
	return s.walk(v, (*segment.Segment).Durable, true)
}

// lastMarked returns the newest segment in which something is known to be on
// disk, or else the oldest segment; nil if there is none.
func (s *Source) lastMarked() (*view, error) {
	bases, err := s.row()
	if err != nil {
		return nil, err
	}
	for i := len(bases) - 1; i >= 0; i-- {
		v, err := s.view(bases[i])
		if err != nil {
			if i == 0 || ofSystem(err) {
				return nil, s.unusable(bases[i], err)
			}
			continue
		}
		marked := false
		err = fault.Run(func() error {
			marked = v.Durable().Count > 0
			return nil
		})
		if err == nil && (marked || i == 0) {
			return v, nil
		}
		s.release(v)
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}
