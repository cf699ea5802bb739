package main

import (
	"github.com/nats-io/nats.go"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// ahead is how many bytes a producer may be ahead of the slowest consumer: half of what the server keeps for one
// before it drops it.
const ahead = 32 << 20

func produceCore(p *harness.Producer) error {
	c, err := connect(p.Env)
	if err != nil {
		return err
	}
	defer c.Close()
	p.Window(int64(ahead / p.Size / p.Producers))
	if err := p.Ready(); err != nil {
		return err
	}
	record := make([]byte, p.Size)
	for p.Fill(record) {
		if err := c.Publish(subject, record); err != nil {
			return err
		}
	}
	return c.Flush()
}

func consumeCore(r *harness.Consumer) error {
	c, err := connect(r.Env)
	if err != nil {
		return err
	}
	defer c.Close()
	t := newTaker(r)
	s, err := c.Subscribe(subject, func(m *nats.Msg) { t.take(m.Data) })
	if err != nil {
		return err
	}
	if err := s.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	if err := c.Flush(); err != nil { // the server knows of the subscription
		return err
	}
	return t.run()
}

// A taker takes records on the client's goroutine, from the common start on.
type taker struct {
	consumer *harness.Consumer
	started  chan struct{}
	done     chan error
	ended    bool
}

func newTaker(r *harness.Consumer) *taker {
	return &taker{consumer: r, started: make(chan struct{}), done: make(chan error, 1)}
}

// take is for one goroutine.
func (t *taker) take(record []byte) {
	if t.ended {
		return
	}
	<-t.started
	if last, err := t.consumer.Take(record); last || err != nil {
		t.ended = true
		t.done <- err
	}
}

// run returns when the last record was taken, or on an error.
func (t *taker) run() error {
	if err := t.consumer.Ready(); err != nil {
		return err
	}
	close(t.started)
	return <-t.done
}
