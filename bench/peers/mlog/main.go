// The peer mlog: the log itself, through the package that programs import.
package main

import (
	"context"
	"path/filepath"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
	mlog "github.com/seed27ccf144/mlog/log"
)

const (
	keptBytes  = 1 << 30                 // of the log; the oldest segments go
	aheadBytes = 512 << 20               // that a producer may be ahead of the slowest consumer, so that retention drops nothing unread
	fillBytes  = keptBytes + keptBytes/4 // what mlog-steady has had before the measurement
	batchSize  = 100                     // records in a batch of mlog-batch
)

// version is that of the working copy; the run script sets it.
var version = "unknown"

func main() { harness.Main(peers()...) }

// A variant is a way to use mlog.
type variant struct {
	name  string
	batch int // records that are appended at once, unless the flags say how many
	// steady: the log is full before the measurement begins, so that it goes on in the files that it has, and nothing
	// is flushed, as with peers that leave writing back to the system.
	steady bool
}

func peers() []harness.Peer {
	return []harness.Peer{
		variant{name: "mlog", batch: 1}.peer(),
		variant{name: "mlog-steady", batch: 1, steady: true}.peer(),
		variant{name: "mlog-batch", batch: batchSize}.peer(),
	}
}

func (v variant) peer() harness.Peer {
	return harness.Peer{
		Name:    v.name,
		Version: func() string { return version },
		Keeps:   true, Durable: true, Spins: true, Checksums: true,
		Has: func(s harness.Settings) string {
			switch {
			case v.batch > 1 && (s.Durable || s.Work == harness.Latency || s.Work == harness.Replay):
				return "one record at a time is what is measured here: see mlog"
			case v.steady && (s.Durable || s.Work == harness.Latency || s.Work == harness.Replay):
				return "a full log makes no difference here: see mlog"
			}
			return ""
		},
		Setup: func(e *harness.Env) error {
			l, err := v.open(e) // creates it, with its retention
			if err == nil && v.steady {
				err = fill(l)
			}
			if err != nil {
				return err
			}
			return l.Close()
		},
		Produce: v.produce,
		Consume: v.consume,
	}
}

func (v variant) open(e *harness.Env) (*mlog.Log, error) {
	opts := mlog.Options{Retention: mlog.Retention{Bytes: keptBytes}}
	if v.steady {
		opts.FlushEvery = -1
	}
	return mlog.Open(filepath.Join(e.Dir, "log"), opts)
}

// fill appends until the log has begun to drop its oldest segments.
func fill(l *mlog.Log) error {
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		return err
	}
	rec := mlog.Record{Value: make([]byte, 64<<10)}
	for n := 0; n < fillBytes; n += len(rec.Value) {
		if _, err := w.Append(context.Background(), rec); err != nil {
			return err
		}
	}
	return nil
}

func (v variant) produce(p *harness.Producer) error {
	l, err := v.open(p.Env)
	if err != nil {
		return err
	}
	defer l.Close() // the records are visible before; it makes them durable, which nobody asked for here
	ack := mlog.Visible
	if p.Durable {
		ack = mlog.Durable
	}
	w, err := l.Writer(mlog.WriterOptions{Ack: ack})
	if err != nil {
		return err
	}
	p.Window(aheadBytes / int64(p.Size+64))
	if err := p.Ready(); err != nil {
		return err
	}
	if batch := max(v.batch, p.Batch); batch > 1 {
		err = appendBatches(p, w, batch)
	} else {
		err = appendEach(p, w)
	}
	p.Done()
	return err
}

func appendEach(p *harness.Producer, w *mlog.Writer) error {
	ctx := context.Background()
	rec := mlog.Record{Value: make([]byte, p.Size)}
	for p.Fill(rec.Value) {
		if _, err := w.Append(ctx, rec); err != nil {
			return err
		}
	}
	return nil
}

func appendBatches(p *harness.Producer, w *mlog.Writer, batch int) error {
	ctx := context.Background()
	records := make([]mlog.Record, batch)
	for i := range records {
		records[i].Value = make([]byte, p.Size)
	}
	for {
		n := 0
		for n < batch && p.Fill(records[n].Value) {
			n++
		}
		if n == 0 {
			return nil
		}
		if _, err := w.AppendBatch(ctx, records[:n]); err != nil {
			return err
		}
	}
}

func (v variant) consume(c *harness.Consumer) error {
	l, err := v.open(c.Env)
	if err != nil {
		return err
	}
	defer l.Close()
	opts := mlog.ReaderOptions{Spin: c.Spin}
	if v.steady {
		opts.From = mlog.End() // of what filled it: no producer begins before this one is ready
	}
	r, err := l.Reader(opts)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := c.Ready(); err != nil {
		return err
	}
	for ctx := context.Background(); ; {
		rec, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if done, err := c.Take(rec.Value); done || err != nil {
			return err
		}
	}
}
