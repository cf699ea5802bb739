// The peer mlog: the log itself, through the package that programs import.
package main

import (
	"context"
	"path/filepath"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
	mlog "github.com/seed27ccf144/mlog/log"
)

const (
	keptBytes  = 1 << 30   // of the log; the oldest segments go
	aheadBytes = 512 << 20 // that a producer may be ahead of the slowest consumer, so that retention drops nothing unread
	batchSize  = 100       // records in a batch of mlog-batch
)

// version is that of the working copy; the run script sets it.
var version = "unknown"

func main() { harness.Main(peers()...) }

func peers() []harness.Peer { return []harness.Peer{peer("mlog", 1), peer("mlog-batch", batchSize)} }

// peer makes a peer that appends so many records at once, unless the flags say how many.
func peer(name string, batch int) harness.Peer {
	return harness.Peer{
		Name:    name,
		Version: func() string { return version },
		Keeps:   true, Durable: true, Spins: true, Checksums: true,
		Has: func(s harness.Settings) string {
			if batch > 1 && (s.Durable || s.Work == harness.Latency || s.Work == harness.Replay) {
				return "one record at a time is what is measured here: see mlog"
			}
			return ""
		},
		Setup: func(e *harness.Env) error {
			l, err := open(e) // creates it, with its retention
			if err != nil {
				return err
			}
			return l.Close()
		},
		Produce: func(p *harness.Producer) error { return produce(p, max(batch, p.Batch)) },
		Consume: consume,
	}
}

func open(e *harness.Env) (*mlog.Log, error) {
	return mlog.Open(filepath.Join(e.Dir, "log"), mlog.Options{Retention: mlog.Retention{Bytes: keptBytes}})
}

func produce(p *harness.Producer, batch int) error {
	l, err := open(p.Env)
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
	if batch > 1 {
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

func consume(c *harness.Consumer) error {
	l, err := open(c.Env)
	if err != nil {
		return err
	}
	defer l.Close()
	r, err := l.Reader(mlog.ReaderOptions{Spin: c.Spin})
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
