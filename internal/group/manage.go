package group

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/seed27ccf144/mlog/internal/filelock"
	"github.com/seed27ccf144/mlog/internal/files"
	"github.com/seed27ccf144/mlog/internal/layout"
)

// What is done to a group from outside, by one who is no consumer. Whoever changes
// its file, or takes it away, holds the group's lock meanwhile, as a member does:
// so it happens to no group that has a member, and a member that comes just then
// looks again at what file has the group's name (see renew).

// ErrActive says that a group has an active member, and nobody else may change it.
var ErrActive = errors.New("the group has an active consumer")

// IsActive reports whether the group has an active member.
func IsActive(dir layout.Dir, name string) (bool, error) {
	lock, err := filelock.TryShared(dir.GroupLock(name))
	if errors.Is(err, fs.ErrNotExist) { // nobody has ever joined
		return false, nil
	}
	lock.Release()
	return lock == nil && err == nil, err
}

// Seek moves the committed offset of a group that is there to offset, durably, and
// returns what it was; committed is false if there was none.
func Seek(dir layout.Dir, name string, meta *layout.Meta, offset int64) (from int64, committed bool, err error) {
	lock, err := LockIdle(dir, name, meta)
	if err != nil {
		return 0, false, err
	}
	defer lock.Release()
	f, err := files.OpenSized(dir.Group(name), fileBytes, true)
	if err != nil {
		return 0, false, fmt.Errorf("group %s: %w", name, err)
	}
	defer f.Close()
	g := Group{dir: dir, name: name, logID: meta.LogID, file: f, lock: lock}
	if err := g.read(); err != nil {
		return 0, false, err
	}
	from, committed = g.Committed()
	if err := g.Commit(offset); err != nil {
		return 0, false, err
	}
	if err := files.SyncAll(f); err != nil {
		return 0, false, fmt.Errorf("group %s: %w", name, err)
	}
	return from, committed, nil
}

// Delete removes a group's file, durably. Its lock file stays: were it removed
// while somebody opens it, that one and the next to make it would both hold the
// group's lock.
func Delete(dir layout.Dir, name string, meta *layout.Meta) error {
	lock, err := LockIdle(dir, name, meta)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := files.Remove(dir.Group(name)); err != nil {
		return fmt.Errorf("group %s: %w", name, err)
	}
	return files.SyncDir(dir.Groups())
}

// LockIdle takes the lock of a group that is there. With an active member the error
// is ErrActive. One look does not tell that there is one: who asks IsActive, or makes
// the group, holds the lock for a moment too.
func LockIdle(dir layout.Dir, name string, meta *layout.Meta) (*filelock.Lock, error) {
	const looks, pause = 20, 5 * time.Millisecond
	if err := layout.CheckGroupName(name); err != nil {
		return nil, err
	}
	if _, err := files.Lstat(dir.Group(name)); err != nil { // or a lock file would be made for nothing
		return nil, fmt.Errorf("group %s: %w", name, err)
	}
	for look := 1; ; look++ {
		lock, err := filelock.TryExclusive(dir.GroupLock(name), layout.ModesFor(meta.Mode).Shared)
		if lock != nil || err != nil {
			return lock, err
		}
		if look == looks {
			return nil, fmt.Errorf("group %s: %w", name, ErrActive)
		}
		time.Sleep(pause)
	}
}
