//go:build amd64 || arm64

package step

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed27ccf144/mlog/log"
	"github.com/seed27ccf144/mlog/reliability/check"
)

// Operations on what a log has besides records.

const groupName = "g"

var settingOperations = []*operation{
	{
		name:    "group-commit",
		options: noFlush,
		first:   []batch{{"a", 5, 0}},
		ready: func(a *actor) error {
			return joinAndCommit(a, 1)
		},
		run:    func(a *actor) error { return a.group.Commit(2) },
		resume: func(dir string, ended bool) error { return resumeGroup(dir, ended, 1, 2) },
	}, {
		name:    "group-create",
		long:    true,
		options: noFlush,
		first:   []batch{{"a", 5, 0}},
		run: func(a *actor) error {
			return joinAndCommit(a, 2)
		},
		resume: func(dir string, ended bool) error { return resumeGroup(dir, ended, nothing, 2) },
	}, {
		name:    "group-seek",
		options: noFlush,
		first:   []batch{{"a", 5, 0}},
		ready:   joinCommitLeave,
		long:    true,
		run: func(a *actor) error {
			_, _, err := a.log.SeekGroup(groupName, log.At(2))
			return err
		},
		resume: func(dir string, ended bool) error { return resumeGroup(dir, ended, 1, 2) },
	}, {
		name:    "group-delete",
		options: noFlush,
		first:   []batch{{"a", 5, 0}},
		ready:   joinCommitLeave,
		long:    true,
		run:     func(a *actor) error { return a.log.DeleteGroup(groupName) },
		resume:  func(dir string, ended bool) error { return resumeGroup(dir, ended, 1, nothing) },
	}, {
		name:    "set-retention",
		long:    true,
		options: log.Options{SegmentBytes: segmentBytes, FlushEvery: -1, Retention: log.Retention{Age: time.Hour}},
		first:   []batch{{"a", 2, 0}},
		run: func(a *actor) error {
			return a.log.SetRetention(log.Retention{Age: 2 * time.Hour})
		},
		check: func(l *check.Log, ended bool) error {
			age := time.Duration(l.Retention.Age)
			if age != 2*time.Hour && (age != time.Hour || ended) {
				return fmt.Errorf("retention by age is %v", age)
			}
			return nil
		},
	},
}

func join(a *actor) (err error) {
	if a.group, err = a.log.Group(groupName); err != nil {
		return err
	}
	ok, err := a.group.TryJoin()
	if err == nil && !ok {
		err = fmt.Errorf("another process is the active member of the group")
	}
	return err
}

func joinAndCommit(a *actor, offset int64) error {
	if err := join(a); err != nil {
		return err
	}
	return a.group.Commit(offset)
}

func joinCommitLeave(a *actor) error {
	if err := joinAndCommit(a, 1); err != nil {
		return err
	}
	err := a.group.Close()
	a.group = nil
	return err
}

const nothing = -1 // in the place of a committed offset

// resumeGroup becomes the group's active member in the dead one's place. It must
// find what was committed before the operation or, if that ended, after it, and
// commits on from there.
func resumeGroup(dir string, ended bool, before, after int64) (err error) {
	a := &actor{dir: dir}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(noFlush); err != nil {
		return err
	}
	if err := join(a); err != nil {
		return err
	}
	offset, ok := a.group.Committed()
	if !ok {
		offset = nothing
	}
	if offset != after && (offset != before || ended) {
		return fmt.Errorf("the group is at offset %d, want %d, or %d if the operation did not end (ended=%v)", offset, after, before, ended)
	}
	return a.group.Commit(3)
}

// removeSpare does what another process's roll would: there is no spare.
func removeSpare(a *actor) error {
	if err := waitForSpare(a); err != nil {
		return err
	}
	return os.Remove(filepath.Join(a.dir, "spare"))
}

func segmentPath(dir string, base int64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d.seg", base))
}
