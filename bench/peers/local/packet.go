package main

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/seed27ccf144/mlog/bench/peers/harness"
)

// A packets is a kind of channels that keep records apart. There is one for each consumer; all producers share it.
type packets struct {
	setup func(e *harness.Env) error
	// open returns the channel of a consumer, in the process that uses it.
	open func(e *harness.Env, consumer int) (channel, error)
}

// A channel sends and receives a record at a time.
type channel interface {
	send(rec []byte) error
	// receive returns a record, which may be in buf, or nil if there is none and the channel polls.
	receive(buf []byte) ([]byte, error)
}

func packetPeer(name string, kind packets) harness.Peer {
	return harness.Peer{
		Name: name, Version: harness.Kernel, Spins: true, Setup: kind.setup,
		Produce: kind.produce, Consume: kind.consume,
	}
}

func (k packets) produce(p *harness.Producer) error {
	var channels []channel
	for c := range p.Consumers {
		ch, err := k.open(p.Env, c)
		if err != nil {
			return err
		}
		channels = append(channels, ch)
	}
	if err := p.Ready(); err != nil {
		return err
	}
	rec := make([]byte, p.Size)
	for p.Fill(rec) {
		for _, ch := range channels {
			if err := ch.send(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k packets) consume(c *harness.Consumer) error {
	ch, err := k.open(c.Env, c.Index)
	if err != nil {
		return err
	}
	if err := c.Ready(); err != nil {
		return err
	}
	buf := make([]byte, c.Size+1) // one more, so that a longer record is seen
	for {
		rec, err := ch.receive(buf)
		if err != nil {
			return err
		}
		if rec == nil {
			continue
		}
		if done, err := c.Take(rec); done || err != nil {
			return err
		}
	}
}

var seqpackets = packets{
	setup: func(e *harness.Env) error {
		for range e.Consumers {
			if err := addSocketpair(e, unix.SOCK_SEQPACKET); err != nil {
				return err
			}
		}
		return nil
	},
	open: func(e *harness.Env, consumer int) (channel, error) {
		s := &socket{r: int(e.File(2 * consumer).Fd()), w: int(e.File(2*consumer + 1).Fd())}
		return s, unix.SetNonblock(s.r, e.Spin)
	},
}

// A socket keeps packets apart.
type socket struct{ r, w int }

func (s *socket) send(rec []byte) error {
	for {
		switch n, err := unix.Write(s.w, rec); {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("send: %w", err)
		case n != len(rec):
			return fmt.Errorf("sent %d bytes of %d", n, len(rec))
		default:
			return nil
		}
	}
}

func (s *socket) receive(buf []byte) ([]byte, error) {
	n, err := unix.Read(s.r, buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("receive: %w", err)
	}
	return buf[:n], nil
}
