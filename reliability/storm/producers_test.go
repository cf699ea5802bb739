//go:build unix

package storm

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A role does its job until stay ends, and then leaves in good order.
type role func(stay context.Context, j job, r *report) error

var roles = map[string]role{
	"single":  produceAs(style{streams: 2, most: 1, length: 300, pause: 100 * time.Microsecond}),
	"batch":   produceAs(style{streams: 2, most: 20, length: 200, pause: 200 * time.Microsecond}),
	"durable": produceAs(style{streams: 3, most: 4, length: 400, ack: mlog.Durable}),
	"hasty":   produceAs(style{streams: 2, most: 3, length: 200, pause: 100 * time.Microsecond, deadline: 2 * time.Millisecond}),
	"roller":  produceAs(style{streams: 1, most: 1, least: 12_000, length: 28_000, pause: 2 * time.Millisecond}),
	"opener":  openAndClose,
	"start":   consumeFrom(mlog.ReaderOptions{From: mlog.Start()}),
	"laggard": consumeFrom(mlog.ReaderOptions{From: mlog.Start()}),
	"end":     consumeFrom(mlog.ReaderOptions{From: mlog.End()}),
	"synced":  consumeFrom(mlog.ReaderOptions{Durable: true}),
	"member":  consumeInGroup,
	"keeper":  keepRetaining,
	"auditor": keepVerifying,
	bareRole:  beBare,
}

// progresses are the roles whose processes append all the time, so that they must
// do so soon after another one's death.
var progresses = map[string]bool{"single": true, "batch": true, "hasty": true, "roller": true}

// A style is how a producer appends.
type style struct {
	streams       int // goroutines
	most          int // records of a batch
	least, length int // bounds of a value's bytes
	pause         time.Duration
	deadline      time.Duration // mean, of an append; 0: none
	ack           mlog.Ack
}

func produceAs(s style) role {
	return func(stay context.Context, j job, r *report) error {
		l, err := mlog.Open(j.Dir, j.Options)
		if err != nil {
			return err
		}
		var wait sync.WaitGroup
		errs := make([]error, s.streams)
		for i := range s.streams {
			st := newStream(j, uint16(i), s, r)
			wait.Go(func() { errs[i] = st.run(stay, l) })
		}
		wait.Wait()
		return errors.Join(errors.Join(errs...), l.Close())
	}
}

// A stream is one goroutine that appends, each batch after the one before was
// acknowledged.
type stream struct {
	job    job
	number uint16
	style  style
	report *report
	random *rand.Rand
	next   uint64 // sequence number of the next record
}

func newStream(j job, number uint16, s style, r *report) *stream {
	return &stream{job: j, number: number, style: s, report: r, random: rand.New(rand.NewPCG(j.Seed, uint64(number)))}
}

func (s *stream) run(stay context.Context, l *mlog.Log) error {
	w, err := l.Writer(mlog.WriterOptions{Ack: s.style.ack})
	if err != nil {
		return err
	}
	for stay.Err() == nil {
		if err := s.append(w); err != nil {
			return err
		}
		// Half of the time without a pause, so that many deaths are within appends.
		if s.style.pause > 0 && s.random.IntN(2) == 0 {
			time.Sleep(time.Duration(s.random.Int64N(int64(2 * s.style.pause))))
		}
	}
	return w.Close()
}

// append appends one batch, as often as it takes, and notes what came of it.
func (s *stream) append(w *mlog.Writer) error {
	records := s.batch()
	begin := now()
	for {
		base, err := s.try(w, records)
		late := errors.Is(err, context.DeadlineExceeded)
		if late && base < 0 {
			continue // nothing was appended, so it may be tried again
		}
		if err != nil && !late {
			return err
		}
		e := entry{
			Kind: acknowledged, Stream: s.number, Count: uint16(len(records)), Producer: s.job.ID,
			Offset: base, Seq: s.next, Begin: begin, End: now(),
		}
		if s.style.ack == mlog.Durable && err == nil {
			e.Durable = 1
		}
		s.next += uint64(len(records))
		return s.report.add(e)
	}
}

func (s *stream) try(w *mlog.Writer, records []mlog.Record) (int64, error) {
	ctx := context.Background()
	if s.style.deadline > 0 {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Duration(s.random.Int64N(int64(2*s.style.deadline))))
		defer cancel()
	}
	if len(records) == 1 {
		return w.Append(ctx, records[0])
	}
	return w.AppendBatch(ctx, records)
}

func (s *stream) batch() []mlog.Record {
	records := make([]mlog.Record, 1+s.random.IntN(s.style.most))
	for i := range records {
		id := identity{
			Producer: s.job.ID, Stream: s.number, Seq: s.next + uint64(i),
			Index: uint16(i), Count: uint16(len(records)),
		}
		length := max(s.style.least, identityBytes)
		records[i] = makeRecord(s.job.Nonce, id, length+s.random.IntN(s.style.length))
	}
	return records
}

// openAndClose is a producer that begins anew all the time: it gets slots of dead
// ones, and so inherits their locks.
func openAndClose(stay context.Context, j job, r *report) error {
	s := newStream(j, 0, style{streams: 1, most: 5, length: 3000}, r)
	for stay.Err() == nil {
		o := j.Options
		if s.random.IntN(4) > 0 {
			o.FlushEvery = -1 // closing then waits for no disk
		}
		l, err := mlog.Open(j.Dir, o)
		if err != nil {
			return err
		}
		w, err := l.Writer(mlog.WriterOptions{})
		for range s.random.IntN(4) {
			if err == nil {
				err = s.append(w)
			}
		}
		if err := errors.Join(err, l.Close()); err != nil {
			return err
		}
	}
	return nil
}
