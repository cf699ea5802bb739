package log

import (
	"errors"
	"path"

	"github.com/seed27ccf144/mlog/internal/group"
)

// GroupInfo is the state of one consumer group, at a moment.
type GroupInfo struct {
	Name      string
	Committed int64 // the next offset to read; -1 if nothing was committed yet
	Lag       int64 // records behind that
	Active    bool  // it has an active member
}

// Groups looks at the consumer groups, in the order of their names. What is wrong
// with one is no reason to say nothing of the others: the damage says it.
func (l *Log) Groups() (groups []GroupInfo, damage []DamageInfo, err error) {
	start, err := l.StartOffset()
	if err != nil {
		return nil, nil, err
	}
	end, err := l.readableEnd()
	if err != nil {
		return nil, nil, err
	}
	names, err := l.dir.GroupNames()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		g, err := l.lookAtGroup(name, start, end)
		if err != nil {
			damage = append(damage, DamageInfo{Segment: path.Join("groups", name), Reason: err.Error()})
			continue
		}
		groups = append(groups, g)
	}
	return groups, damage, nil
}

func (l *Log) lookAtGroup(name string, start, end int64) (GroupInfo, error) {
	offset, committed, err := group.Read(l.dir, name, l.meta.LogID)
	if err != nil {
		return GroupInfo{}, err
	}
	active, err := group.IsActive(l.dir, name)
	if err != nil {
		return GroupInfo{}, err
	}
	g := GroupInfo{Name: name, Committed: offset, Lag: max(0, end-max(offset, start)), Active: active}
	if !committed {
		g.Committed = -1
	}
	return g, nil
}

// SeekGroup moves the committed offset of a group to a place in the log, durably,
// and returns what it was, -1 for nothing, and what it is now. The group must be
// there (or the error is fs.ErrNotExist) and have no active member
// (ErrGroupActive); an offset that is not in the log is a *RangeError.
func (l *Log) SeekGroup(name string, to Position) (from, offset int64, err error) {
	if to == (Position{}) {
		return 0, 0, errors.New("seek: no place was given")
	}
	err = l.seek(to, false, func(at int64, oldest bool) (err error) {
		if oldest {
			offset, err = l.StartOffset()
			return err
		}
		offset = at
		return l.checkInLog(at)
	})
	if err != nil {
		return 0, 0, err
	}
	from, committed, err := group.Seek(l.dir, name, &l.meta, offset)
	if !committed {
		from = -1
	}
	return from, offset, err
}

// checkInLog says whether reading can begin at the offset.
func (l *Log) checkInLog(offset int64) error {
	start, err := l.StartOffset()
	if err != nil {
		return err
	}
	end, err := l.readableEnd()
	if err != nil {
		return err
	}
	if offset < start || offset > end {
		return &RangeError{Requested: offset, Start: start, End: end}
	}
	return nil
}

// DeleteGroup removes a group and its committed offset, durably. The group must be
// there (or the error is fs.ErrNotExist) and have no active member
// (ErrGroupActive). Consumers that stand by make it anew when they join.
func (l *Log) DeleteGroup(name string) error {
	return group.Delete(l.dir, name, &l.meta)
}
