package hostile_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// A goodProducer appends to a log that nobody scribbles on.
type goodProducer struct {
	quit chan struct{}
	done chan int64
}

func startGood(t *testing.T, dir string) *goodProducer {
	t.Helper()
	l, err := mlog.Open(dir, mlog.Options{SegmentBytes: smallest, Retention: mlog.Retention{Bytes: 16 * smallest}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w, err := l.Writer(mlog.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := &goodProducer{quit: make(chan struct{}), done: make(chan int64, 1)}
	go func() {
		n := int64(0)
		for tick := time.NewTicker(time.Millisecond); ; n++ {
			select {
			case <-p.quit:
				tick.Stop()
				p.done <- n
				return
			case <-tick.C:
			}
			if _, err := w.Append(context.Background(), mlog.Record{Value: goodValue(n)}); err != nil {
				t.Error(err)
				p.done <- n
				return
			}
		}
	}()
	return p
}

func goodValue(n int64) []byte { return fmt.Appendf(nil, "good record %d", n) }

func (p *goodProducer) stop() int64 {
	close(p.quit)
	return <-p.done
}

// followGood reads the good log from its start until it has as many records as
// until says.
func (c *consumers) followGood(until <-chan int64) {
	r, err := c.good.Reader(mlog.ReaderOptions{})
	if err != nil {
		c.violate("the good log: %v", err)
		return
	}
	defer r.Close()
	end := int64(-1)
	for n := int64(0); end < 0 || n < end; {
		select {
		case end = <-until:
			continue
		default:
		}
		ctx, cancel := brief()
		rec, err := r.Next(ctx)
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				c.violate("the good log: %v", err)
				return
			}
			continue
		}
		if rec.Offset != n || string(rec.Value) != string(goodValue(n)) {
			c.violate("the good log: offset %d has %q where offset %d belongs", rec.Offset, rec.Value, n)
			return
		}
		n++
		c.tally.Good.Add(1)
	}
}
