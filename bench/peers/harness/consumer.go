package harness

import "fmt"

// A Consumer checks the records that one consumer gets. It is for one goroutine.
type Consumer struct {
	*Env
	Index int // from 0

	role  *role
	check *checker
	hist  *latencies // for Latency
	warm  uint64     // records of the schedule that are not counted
	span  span
}

// Ready says that the consumer is set up, and returns at the common start. Peers that keep nothing must be able to
// get what is sent from then on.
func (c *Consumer) Ready() error {
	err := c.role.ready()
	if c.Work == Latency {
		c.warm = newPlan(c.Settings, c.role.ctl.start.Load()).warm
	}
	c.span.begin(0)
	return err
}

// Take checks a record, which may be changed afterwards. It returns done with the last one of the last producer; an
// error says what was lost, doubled, out of order or changed.
func (c *Consumer) Take(rec []byte) (done bool, err error) {
	if c.hist == nil {
		c.span.look(c.role.ctl.phase.Load(), c.check.count)
	}
	due, err := c.check.take(rec)
	if err != nil {
		return false, fmt.Errorf("consumer %d: %w", c.Index, err)
	}
	if c.hist != nil {
		c.late(due)
	}
	if c.check.count%progressEvery == 0 {
		c.role.ctl.received[c.Index].Store(uint64(c.check.count))
	}
	if c.check.waiting > 0 {
		return false, nil
	}
	c.span.finish(c.check.count)
	return true, nil
}

// Taken returns how many records Take has accepted.
func (c *Consumer) Taken() int64 { return c.check.count }

func (c *Consumer) late(due int64) {
	if uint64(c.check.count) <= c.warm {
		return
	}
	if uint64(c.check.count) == c.warm+1 {
		c.span.begin(c.check.count - 1)
	}
	c.hist.record(Now() - due)
}

func (c *Consumer) report() report {
	r := report{Span: c.span.measured()}
	if c.check.waiting > 0 {
		r.Error = fmt.Sprintf("consumer %d ended after %d records, before the last", c.Index, c.check.count)
	}
	if c.hist != nil {
		r.Latency = c.hist.summary()
	}
	return r
}
