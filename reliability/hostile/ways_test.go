package hostile_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"time"

	mlog "github.com/seed27ccf144/mlog/log"
)

// patience bounds each wait.
const patience = 20 * time.Millisecond

func brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// read reads at most this many records, over damage if skip is set, and reports
// whether it saw any.
func (c *consumers) read(who string, opts mlog.ReaderOptions, most int, skip bool) {
	var r *mlog.Reader
	if c.call(who+": Reader", func() (err error) {
		r, err = c.hostile.Reader(opts)
		return err
	}) != nil {
		time.Sleep(time.Millisecond)
		return
	}
	defer r.Close()
	last := int64(-1)
	for range most {
		ctx, cancel := brief()
		var rec mlog.Record
		err := c.call(who+": Next", func() (err error) {
			rec, err = r.Next(ctx)
			return err
		})
		cancel()
		if err == nil {
			if rec.Offset <= last {
				c.violate("%s: offset %d after %d", who, rec.Offset, last)
			}
			last = rec.Offset
			c.touch(rec)
			continue
		}
		if !skip || errors.Is(err, context.DeadlineExceeded) || c.over() {
			return
		}
		if c.call(who+": SkipDamage", r.SkipDamage) != nil {
			return
		}
		c.tally.Skips.Add(1)
	}
}

func (c *consumers) skipping(*rand.Rand) { c.read("skipping", mlog.ReaderOptions{}, 2000, true) }

func (c *consumers) stopping(rng *rand.Rand) {
	c.read("stopping", mlog.ReaderOptions{From: mlog.At(rng.Int64N(120))}, 2000, false)
}

func (c *consumers) byTime(rng *rand.Rand) {
	ago := time.Duration(rng.Int64N(int64(time.Minute)))
	c.read("by time", mlog.ReaderOptions{From: mlog.AtTime(time.Now().Add(-ago))}, 50, true)
}

func (c *consumers) durable(*rand.Rand) {
	c.read("durable", mlog.ReaderOptions{Durable: true}, 500, true)
}

func (c *consumers) group(rng *rand.Rand) {
	err := c.call("group", func() error {
		g, err := c.hostile.Group([]string{"one", "two"}[rng.IntN(2)])
		if err != nil {
			return err
		}
		defer g.Close()
		ctx, cancel := brief()
		defer cancel()
		if err := g.Join(ctx); err != nil {
			return err
		}
		if offset, ok := g.Committed(); ok && offset < 0 {
			c.violate("group: committed offset %d", offset)
		}
		return g.Commit(rng.Int64N(100))
	})
	if err != nil {
		time.Sleep(time.Millisecond)
	}
}

// any waits for the hostile log and the good one at once.
func (c *consumers) any(*rand.Rand) {
	hostile, err := c.hostile.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		time.Sleep(time.Millisecond)
		return
	}
	defer hostile.Close()
	good, err := c.good.Reader(mlog.ReaderOptions{From: mlog.End()})
	if err != nil {
		c.violate("the good log cannot be read: %v", err)
		return
	}
	defer good.Close()
	for range 20 {
		ctx, cancel := brief()
		_ = c.call("any: WaitAny", func() error { return mlog.WaitAny(ctx, hostile, good) })
		cancel()
		if _, _, err := good.TryNext(); err != nil {
			c.violate("the good log: %v", err)
		}
		var rec mlog.Record
		var ok bool
		if err := c.call("any: TryNext", func() (err error) {
			rec, ok, err = hostile.TryNext()
			return err
		}); err != nil {
			return
		}
		if ok {
			c.touch(rec)
		}
	}
}

func (c *consumers) look(rng *rand.Rand) {
	for name, f := range map[string]func() (int64, error){
		"look: start": c.hostile.StartOffset, "look: end": c.hostile.EndOffset, "look: durable": c.hostile.DurableOffset,
		"look: offset": func() (int64, error) { return c.hostile.OffsetAt(time.Unix(0, rng.Int64())) },
	} {
		_ = c.call(name, func() error {
			_, err := f()
			return err
		})
	}
	_ = c.call("look: Info", func() error {
		_, err := c.hostile.Info()
		return err
	})
	_ = c.call("look: Verify", func() error {
		ctx, cancel := brief()
		defer cancel()
		_, err := mlog.Verify(ctx, c.hostile.Dir(), mlog.VerifyOptions{})
		return err
	})
}

// open opens the log anew, and reads a little.
func (c *consumers) open(rng *rand.Rand) {
	var l *mlog.Log
	if c.call("open: Open", func() (err error) {
		l, err = mlog.Open(filepath.Clean(c.hostile.Dir()), mlog.Options{MustExist: true})
		return err
	}) != nil {
		time.Sleep(time.Millisecond)
		return
	}
	r, err := l.Reader(mlog.ReaderOptions{From: mlog.At(rng.Int64N(100))})
	if err == nil {
		if rec, ok, err := r.TryNext(); ok && err == nil {
			c.touch(rec)
		}
		r.Close()
	}
	_ = c.call("open: Close", l.Close)
}
