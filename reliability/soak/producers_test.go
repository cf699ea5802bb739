//go:build linux

package soak

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A style is how a producer appends.
type style struct {
	most          int // records of a batch
	least, length int // bounds of a value's bytes
	pause         time.Duration
	ack           mlog.Ack
}

// A stream is one goroutine that appends, each batch after the one before was
// acknowledged.
type stream struct {
	first identity // of its first record
	style style
	w     *mlog.Writer
	note  func(ack) error
	next  uint64
}

// run appends until stay ends. What it appends is not given up in between, so that
// each batch is acknowledged.
func (s *stream) run(stay context.Context, random *rand.Rand) error {
	for stay.Err() == nil {
		if err := s.append(random); err != nil {
			return err
		}
		if s.style.pause > 0 && random.IntN(2) == 0 {
			pause(stay, upTo(random, s.style.pause))
		}
	}
	return nil
}

func (s *stream) append(random *rand.Rand) error {
	id := s.first
	id.Seq, id.Count = s.next, uint16(1+random.IntN(s.style.most))
	a := ack{First: id}
	records := make([]mlog.Record, id.Count)
	for i := range records {
		records[i].Value = id.value(s.style.least + random.IntN(s.style.length))
		if id.Seq%3 == 0 {
			records[i].Key = records[i].Value[:identityBytes/2]
		}
		id.Index++
		id.Seq++
	}
	var err error
	if a.Offset, err = s.w.AppendBatch(context.Background(), records); err != nil {
		return err
	}
	if s.style.ack == mlog.Durable {
		a.Durable = 1
	}
	s.next = id.Seq
	return s.note(a)
}

// pass comes and goes as a producer: it opens the log, appends a little, and closes
// it.
func (r *resident) pass(stay context.Context, random *rand.Rand) error {
	for stay.Err() == nil {
		if err := r.passOnce(random); err != nil {
			return err
		}
		pause(stay, upTo(random, 3*time.Millisecond))
	}
	return nil
}

func (r *resident) passOnce(random *rand.Rand) (err error) {
	o := r.Options
	if random.IntN(4) > 0 {
		o.FlushEvery = -1 // closing then waits for no disk
	}
	l, err := mlog.Open(r.Dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	styles := []style{{most: 1, length: 3000}, {most: 20, length: 300}, {most: 2, length: 25_000}}
	s := &stream{first: identity{Producer: r.producer()}, style: styles[random.IntN(len(styles))], note: r.note}
	if random.IntN(8) == 0 {
		s.style.ack = mlog.Durable
	}
	if s.w, err = l.Writer(mlog.WriterOptions{Ack: s.style.ack}); err != nil {
		return err
	}
	r.done.Opened.Add(1)
	for range random.IntN(4) {
		if err := s.append(random); err != nil {
			return err
		}
	}
	return s.w.Close()
}

func pause(stay context.Context, d time.Duration) {
	select {
	case <-stay.Done():
	case <-time.After(d):
	}
}

func upTo(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(most)))
}
