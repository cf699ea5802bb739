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

// mostVisitRecords is how many records a reader that does not stay reads at a time,
// at most: more than a segment has, so that it sees the log roll.
const mostVisitRecords = 60

// visit comes and goes as a reader, or as several at once.
func (r *resident) visit(stay context.Context, random *rand.Rand) error {
	for stay.Err() == nil {
		if err := r.visitOnce(stay, random); err != nil {
			return err
		}
		pause(stay, upTo(random, 2*time.Millisecond))
	}
	return nil
}

func (r *resident) visitOnce(stay context.Context, random *rand.Rand) (err error) {
	l := r.log
	if random.IntN(3) == 0 { // else it shares what the readers of this process map
		if l, err = mlog.Open(r.Dir, r.Options); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
	}
	var readers []*follower
	for range 1 + random.IntN(3) {
		f, err := openSomewhere(l, r.Dir, random)
		if err != nil {
			return err
		}
		defer f.reader.Close()
		readers = append(readers, f)
		r.done.Readers.Add(1)
	}
	for _, f := range readers {
		if err := f.readSome(random); err != nil {
			return err
		}
	}
	switch random.IntN(5) {
	case 0:
		return nil // leaves what it has not read
	case 1:
		return waitForAny(stay, random, readers)
	case 2:
		return waitForEvents(stay, random, l, readers[0])
	case 3:
		if l != r.log {
			return sleepUntilClosed(stay, random, l, readers[0])
		}
	}
	return sleepAWhile(stay, random, readers)
}

// openSomewhere opens a reader at any place of the log.
func openSomewhere(l *mlog.Log, dir string, random *rand.Rand) (*follower, error) {
	o := mlog.ReaderOptions{Durable: random.IntN(4) == 0}
	switch random.IntN(5) {
	case 0:
		o.From = mlog.End()
	case 1, 2:
		from, err := l.StartOffset()
		if err != nil {
			return nil, err
		}
		end, err := l.EndOffset()
		if err != nil {
			return nil, err
		}
		o.From = mlog.At(from + random.Int64N(end-from+1))
	case 3:
		o.From = mlog.AtTime(time.Now().Add(-upTo(random, time.Second)))
	}
	f, err := openFollower(l, dir, o)
	if errors.Is(err, mlog.ErrOutOfRange) { // retention was quicker
		o.From = mlog.Start()
		f, err = openFollower(l, dir, o)
	}
	return f, err
}

// readSome reads records that are there.
func (f *follower) readSome(random *rand.Rand) error {
	for range random.IntN(mostVisitRecords) {
		rec, ok, err := f.reader.TryNext()
		if err == nil && !ok {
			return nil
		}
		if err := f.tookOrLost(rec, err); err != nil {
			return err
		}
	}
	return nil
}

// sleepAWhile has each reader follow until it is cancelled, most times in its sleep:
// by a deadline or by a call.
func sleepAWhile(stay context.Context, random *rand.Rand, readers []*follower) error {
	var ctx context.Context
	var cancel context.CancelFunc
	after := upTo(random, 10*time.Millisecond)
	if random.IntN(2) == 0 {
		ctx, cancel = context.WithTimeout(stay, after)
	} else {
		ctx, cancel = context.WithCancel(stay)
		time.AfterFunc(after, cancel)
	}
	defer cancel()
	c := newCrew(ctx, 0)
	for _, f := range readers {
		c.start("sleep", func(stay context.Context, _ *rand.Rand) error { return f.follow(stay) })
	}
	return c.wait()
}

// waitForAny has one goroutine wait for all of the readers.
func waitForAny(stay context.Context, random *rand.Rand, readers []*follower) error {
	ctx, cancel := context.WithTimeout(stay, upTo(random, 10*time.Millisecond))
	defer cancel()
	var waited []*mlog.Reader
	for _, f := range readers {
		waited = append(waited, f.reader)
	}
	for range 20 {
		if err := mlog.WaitAny(ctx, waited...); isOver(ctx, err) {
			return nil
		} else if err != nil {
			return err
		}
		for _, f := range readers {
			if err := f.readSome(random); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitForEvents makes a notifier and reads at its events.
func waitForEvents(stay context.Context, random *rand.Rand, l *mlog.Log, f *follower) (err error) {
	ctx, cancel := context.WithTimeout(stay, upTo(random, 10*time.Millisecond))
	defer cancel()
	n, err := l.Notifier()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	for ctx.Err() == nil {
		if err := awaitEvent(ctx, n); err != nil {
			return err
		}
		if err := f.readSome(random); err != nil {
			return err
		}
	}
	return nil
}

// sleepUntilClosed has the log closed under a reader that sleeps.
func sleepUntilClosed(stay context.Context, random *rand.Rand, l *mlog.Log, f *follower) error {
	closed := make(chan error, 1)
	time.AfterFunc(upTo(random, 5*time.Millisecond), func() { closed <- l.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	for err == nil {
		var rec mlog.Record
		if rec, err = f.reader.Next(ctx); !errors.Is(err, mlog.ErrClosed) {
			err = f.tookOrLost(rec, err)
		}
	}
	if cerr := <-closed; cerr != nil {
		return cerr
	}
	if !errors.Is(err, mlog.ErrClosed) {
		return fmt.Errorf("a reader under which the log was closed: %w", err)
	}
	return nil
}
