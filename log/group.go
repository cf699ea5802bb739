package log

import (
	"context"
	"time"

	"github.com/seed27ccf144/mlog/internal/group"
)

// A Group is a consumer group: a name under which the next offset to read is
// kept with the log. One consumer at a time is its active member; others stand
// by, and one of them takes over when that one leaves or dies.
//
// It is safe for concurrent use.
type Group struct {
	g *group.Group
}

// Group opens the group of this name (letters, digits, '.', '_', '-'), or makes
// it.
func (l *Log) Group(name string) (*Group, error) {
	g, err := group.Open(l.dir, name, &l.meta)
	if err != nil {
		return nil, err
	}
	return &Group{g: g}, nil
}

// joinPause is how long a consumer that stands by waits between looks. The
// kernel has no call that waits for a file lock and can be cancelled.
const joinPause = 50 * time.Millisecond

// Join makes the caller the active member, waiting for the present one to leave
// or die, until ctx ends.
func (g *Group) Join(ctx context.Context) error {
	for {
		ok, err := g.g.TryJoin()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(joinPause):
		}
	}
}

// TryJoin is Join without waiting: it reports false if there is another member.
func (g *Group) TryJoin() (bool, error) {
	const looks, pause = 3, time.Millisecond
	for look := 1; ; look++ {
		ok, err := g.g.TryJoin()
		if ok || err != nil || look == looks {
			return ok, err
		}
		time.Sleep(pause) // it may have been somebody who just looks at the group
	}
}

// Committed returns the next offset to read, as committed by this or an earlier
// member, and false if nothing was committed yet. It is current after Join.
func (g *Group) Committed() (offset int64, ok bool) { return g.g.Committed() }

// Commit stores the next offset to read, for the active member. It survives the
// death of every process; power loss may take it back to an earlier commit.
func (g *Group) Commit(offset int64) error { return g.g.Commit(offset) }

// Close leaves the group.
func (g *Group) Close() error { return g.g.Close() }
