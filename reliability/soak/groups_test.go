//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// join comes and goes as a member of a group, and goes on where the one before it
// committed.
func (r *resident) join(stay context.Context, random *rand.Rand) error {
	for stay.Err() == nil {
		if err := r.joinOnce(stay, random); err != nil {
			return err
		}
		pause(stay, upTo(random, 2*time.Millisecond))
	}
	return nil
}

func (r *resident) joinOnce(stay context.Context, random *rand.Rand) (err error) {
	g, err := r.log.Group(fmt.Sprintf("crew-%d", r.ID))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	ctx, cancel := context.WithTimeout(stay, upTo(random, 100*time.Millisecond))
	defer cancel()
	if err := g.Join(ctx); isOver(ctx, err) {
		return nil
	} else if err != nil {
		return err
	}
	r.done.Joined.Add(1)
	// One is active at a time, so from here on nobody else changes it.
	from, ok := g.Committed()
	if told := r.committed.Load() - 1; ok != (told >= 0) || ok && from != told {
		return fmt.Errorf("the group is at %d (%v), and the last commit was of %d", from, ok, told)
	}
	f, err := openFollower(r.log, r.Dir, mlog.ReaderOptions{From: mlog.At(from)})
	if errors.Is(err, mlog.ErrOutOfRange) {
		f, err = openFollower(r.log, r.Dir, mlog.ReaderOptions{})
	}
	if err != nil {
		return err
	}
	reader := f.reader
	defer reader.Close()
	for range 1 + random.IntN(3) {
		if err := f.readSome(random); err != nil {
			return err
		}
		if err := g.Commit(reader.Offset()); err != nil {
			return err
		}
		r.committed.Store(reader.Offset() + 1)
	}
	return nil
}
